"""What a network learns from: its own outputs and those of what teaches, term by term."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from paredown.contracts import Array, TrainingRun
from paredown.plan import DistillPlan, PlannedLoss
from paredown_paddle.framework import paddle
from paredown_paddle.outputs import each


@dataclass(frozen=True)
class Answer:
    """What a network gave for a batch: its outputs (None where nothing needs them), and its taps by name."""

    outputs: Any = None
    taps: Mapping[str, Any] = field(default_factory=dict)

    def detached(self) -> Answer:
        """The same numbers, through which nothing learns."""
        return self.through(lambda values: values.detach())

    def through(self, function: Callable[[Any], Any]) -> Answer:
        """What a function gives for each tensor."""
        outputs = None if self.outputs is None else each(self.outputs, function)
        return Answer(outputs, {name: function(values) for name, values in self.taps.items()})


class Projections:
    """The 1x1 convolutions and Linear layers between a student's taps and its teacher's; parts of no network.

    Args:
        arrays: The weights to start from, in torch's layout.
        dtype: What they are kept in.
    """

    def __init__(self, arrays: Mapping[tuple[int, int], Array], dtype: str) -> None:
        self._weights = {place: _parameter(values, dtype) for place, values in arrays.items()}

    def parameters(self) -> list[Any]:
        """All weights, for the optimizer."""
        return list(self._weights.values())

    def applied(self, place: tuple[int, int], values: Any) -> Any:
        """A tap of the student in the teacher's channels: [batch, channels, height, width] or [batch, features]."""
        weight = self._weights.get(place)
        if weight is None:
            return values
        if weight.ndim == 4:
            return paddle.nn.functional.conv2d(values, weight)
        return paddle.matmul(values, weight, transpose_y=True)


@dataclass(frozen=True)
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
        self, weights: Sequence[float], student: Answer, teacher: Answer | None, labels: Any, projections: Projections
    ) -> Any:
        """The sum of all terms."""
        terms = []
        for index, (planned, implementation) in enumerate(zip(self.plan.losses, self.run.losses, strict=True)):
            own, taught = _given(index, planned, student, teacher, projections)
            terms.append(weights[index] * implementation(own, taught, labels, planned.options))
        return sum(terms[1:], terms[0])


def _given(
    index: int, planned: PlannedLoss, student: Answer, teacher: Answer | None, projections: Projections
) -> tuple[Any, Any]:
    if not planned.taps:
        return student.outputs, None if teacher is None else teacher.outputs
    assert teacher is not None, "core gives a term with taps something that teaches"
    own = [projections.applied((index, place), student.taps[tap.student]) for place, tap in enumerate(planned.taps)]
    taught = [teacher.taps[tap.teacher] for tap in planned.taps]
    return own, (taught, teacher.outputs) if planned.guided else taught


def _parameter(values: Array, dtype: str) -> Any:
    return paddle.create_parameter(
        list(values.shape), dtype, default_initializer=paddle.nn.initializer.Assign(np.array(values, dtype=dtype))
    )
