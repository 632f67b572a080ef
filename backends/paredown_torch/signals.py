"""What a network learns from: its own outputs and those of what teaches, term by term."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from paredown.contracts import Array, TrainingRun
from paredown.plan import DistillPlan, PlannedLoss
from paredown_torch.outputs import Returned, each


@dataclass(frozen=True, slots=True)
class Answer:
    """What a network gave for a batch: its outputs (None where nothing needs them), and its taps by name."""

    outputs: Returned | None = None
    taps: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def detached(self) -> Answer:
        """The same numbers, through which nothing learns."""
        return self.through(torch.Tensor.detach)

    def through(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Answer:
        """What a function gives for each tensor."""
        outputs = None if self.outputs is None else each(self.outputs, function)
        return Answer(outputs, {name: function(values) for name, values in self.taps.items()})


class Projections:
    """The 1x1 convolutions and Linear layers between a student's taps and its teacher's; parts of no network."""

    def __init__(self, arrays: Mapping[tuple[int, int], Array], like: torch.Tensor) -> None:
        """Starts from the given weights, as parameters of the device and the dtype of `like`."""
        self._weights = {
            place: nn.Parameter(torch.from_numpy(np.array(values)).to(like)) for place, values in arrays.items()
        }

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All weights, for the optimizer."""
        return list(self._weights.values())

    def applied(self, place: tuple[int, int], values: torch.Tensor) -> torch.Tensor:
        """A tap of the student in the teacher's channels: [batch, channels, height, width] or [batch, features]."""
        weight = self._weights.get(place)
        if weight is None:
            return values
        return functional.conv2d(values, weight) if weight.dim() == 4 else functional.linear(values, weight)


@dataclass(frozen=True, slots=True)
class Lesson:
    """The terms of a training's loss."""

    plan: DistillPlan
    run: TrainingRun

    @property
    def taps(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of the student's taps and of the teacher's, each once."""
        pairs = [tap for loss in self.plan.losses for tap in loss.taps]
        return tuple(dict.fromkeys(tap.student for tap in pairs)), tuple(dict.fromkeys(tap.teacher for tap in pairs))

    def weights(self, step: int) -> Sequence[float]:
        """The weight of each term at a step, counted over the whole training."""
        if self.run.loss_weights is None:
            return [loss.weight for loss in self.plan.losses]
        return self.run.loss_weights(step)

    def loss(
        self,
        weights: Sequence[float],
        student: Answer,
        teacher: Answer | None,
        labels: torch.Tensor | Array,
        projections: Projections,
    ) -> torch.Tensor:
        """The sum of all terms."""
        terms: list[torch.Tensor] = []
        for index, (planned, implementation) in enumerate(zip(self.plan.losses, self.run.losses, strict=True)):
            given = _given(index, planned, student, teacher, projections)
            terms.append(weights[index] * implementation(*given, labels, planned.options))
        total: torch.Tensor = sum(terms[1:], terms[0])
        return total


def _given(
    index: int, planned: PlannedLoss, student: Answer, teacher: Answer | None, projections: Projections
) -> tuple[object, object]:
    if not planned.taps:
        return student.outputs, None if teacher is None else teacher.outputs
    assert teacher is not None, "core gives a term with taps something that teaches"
    own = [projections.applied((index, place), student.taps[tap.student]) for place, tap in enumerate(planned.taps)]
    taught = [teacher.taps[tap.teacher] for tap in planned.taps]
    return own, (taught, teacher.outputs) if planned.guided else taught
