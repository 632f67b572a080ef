"""What a network learns from, term by term: its own outputs and those of what teaches; tensors of any framework."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from paredown.algorithms.outputs import of_each
from paredown.contracts import TrainingRun
from paredown.errors import DataError
from paredown.plan import DistillPlan, PlannedLoss


@dataclass(frozen=True, slots=True)
class Answer:
    """What a network gave for a batch: its outputs (None where nothing needs them), and its taps by name."""

    outputs: Any = None
    taps: Mapping[str, Any] = field(default_factory=dict)

    def detached(self) -> Answer:
        """The same numbers, through which nothing learns."""
        return self.through(lambda values: values.detach())

    def through(self, function: Callable[[Any], Any]) -> Answer:
        """What a function gives for each tensor."""
        outputs = None if self.outputs is None else of_each(function, self.outputs)
        return Answer(outputs, {name: function(values) for name, values in self.taps.items()})


class Projecting(Protocol):
    """The 1x1 convolutions and Linear layers between a student's taps and its teacher's."""

    def applied(self, place: tuple[int, int], values: Any) -> Any:
        """A tap of the student in the teacher's channels; as it is where no projection has this place."""
        ...


@dataclass(frozen=True, slots=True)
class Lesson:
    """The terms of a training's loss."""

    plan: DistillPlan
    run: TrainingRun

    @property
    def taught(self) -> tuple[str, ...]:
        """The names of the teacher's taps, each once."""
        return tuple(dict.fromkeys(tap.teacher for loss in self.plan.losses for tap in loss.taps))

    @property
    def watched(self) -> tuple[str, ...]:
        """The names of the taps of whoever learns, each once; the teacher's too where it teaches itself or a peer."""
        own = [tap.student for loss in self.plan.losses for tap in loss.taps]
        teaches = self.run.way == "online" or (self.run.way == "self" and self.run.average is None)
        return tuple(dict.fromkeys((*own, *self.taught) if teaches else own))

    def weights(self, step: int) -> Sequence[float]:
        """The weight of each term at a step, counted over the whole training."""
        if self.run.loss_weights is None:
            return [loss.weight for loss in self.plan.losses]
        return self.run.loss_weights(step)

    def loss(
        self, weights: Sequence[float], student: Answer, teacher: Answer | None, labels: Any, projections: Projecting
    ) -> Any:
        """The sum of all terms."""
        terms = []
        for index, (planned, implementation) in enumerate(zip(self.plan.losses, self.run.losses, strict=True)):
            given = _given(index, planned, student, teacher, projections)
            terms.append(weights[index] * implementation(*given, labels, planned.options))
        return sum(terms[1:], terms[0])


def _given(
    index: int, planned: PlannedLoss, student: Answer, teacher: Answer | None, projections: Projecting
) -> tuple[Any, Any]:
    if not planned.taps:
        return student.outputs, None if teacher is None else teacher.outputs
    assert teacher is not None, "core gives a term with taps something that teaches"
    own = [projections.applied((index, place), student.taps[tap.student]) for place, tap in enumerate(planned.taps)]
    taught = [teacher.taps[tap.teacher] for tap in planned.taps]
    return own, (taught, teacher.outputs) if planned.guided else taught


def mean_loss(losses: Sequence[float], epoch: int) -> float:
    """The mean over the batches of an epoch, counted from 0.

    Raises:
        DataError: There was no batch.
    """
    if not losses:
        raise DataError("an epoch has no batches", where=f"epoch {epoch + 1}", remedy="lower train.batch_size")
    return math.fsum(losses) / len(losses)
