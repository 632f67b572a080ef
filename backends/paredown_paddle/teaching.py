"""What teaches in a training: a teacher that stays as it is, the student's own average or layers, or a peer."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, Protocol

from paredown.algorithms.lesson import Answer, Lesson
from paredown_paddle.divergence import diverged
from paredown_paddle.framework import paddle
from paredown_paddle.mixed_precision import MixedPrecision
from paredown_paddle.modes import evaluating
from paredown_paddle.names import tensors
from paredown_paddle.optimizing import descend, make_optimizer
from paredown_paddle.signals import Projections, answered
from paredown_paddle.taps import captured


@dataclass(frozen=True)
class Batch:
    """One batch on the device, structured labels in NumPy; `taught` is the teacher's output, where core has it."""

    images: Any
    labels: Any
    taught: Any = None


@dataclass(frozen=True)
class Step:
    """One step of the optimizer: the weights of the terms, the learning rate, and the step's name for errors."""

    weights: tuple[float, ...]
    rate: float
    where: str


class Teaching(Protocol):
    """What teaches."""

    def answer(self, batch: Batch, student: Answer) -> Answer | None:
        """What it gives for a batch, without gradients; None where nothing teaches."""
        ...

    def after_step(self, batch: Batch, student: Answer, step: Step) -> None:
        """Follows a step of the student, whose answer to the batch was this."""
        ...


def make_teaching(model: Any, lesson: Lesson, precision: MixedPrecision) -> Teaching:
    """What teaches by the run's `way`; a copy of the student is made here."""
    run = lesson.run
    if run.way == "online":
        return Peer(run.peer, lesson, precision)
    if run.way == "self":
        return OwnLayers() if run.average is None else Average(model, lesson, run.average, precision)
    return Teacher(lesson, precision)


class Teacher:
    """A teacher that is never changed, or the outputs that core has; nothing where there is neither."""

    def __init__(self, lesson: Lesson, precision: MixedPrecision) -> None:
        self._precision = precision
        self._model: Any = lesson.run.teacher
        if self._model is not None and lesson.run.dtype == "float64":
            self._model = copy.deepcopy(self._model).to(dtype="float64")
        self._taps = lesson.taught

    def answer(self, batch: Batch, student: Answer) -> Answer | None:  # noqa: ARG002 - one signature
        """What the teacher gives."""
        if batch.taught is not None:
            return Answer(batch.taught)
        return None if self._model is None else _watched(self._model, self._taps, batch.images, self._precision)

    def after_step(self, batch: Batch, student: Answer, step: Step) -> None:
        """It stays as it is."""


class OwnLayers:
    """The student's deeper layers (Zhang et al., 2019, "Be Your Own Teacher")."""

    def answer(self, batch: Batch, student: Answer) -> Answer | None:  # noqa: ARG002 - one signature
        """What the student itself gave."""
        return student.detached()

    def after_step(self, batch: Batch, student: Answer, step: Step) -> None:
        """It is the student."""


class Average:
    """The moving average of the student's parameters (Tarvainen and Valpola, 2017, "Mean Teacher")."""

    def __init__(self, model: Any, lesson: Lesson, average: float, precision: MixedPrecision) -> None:
        self._student, self._kept, self._taps, self._precision = model, average, lesson.taught, precision
        self.model = copy.deepcopy(model)
        self.model.eval()

    def answer(self, batch: Batch, student: Answer) -> Answer | None:  # noqa: ARG002 - one signature
        """What the average gives."""
        return _watched(self.model, self._taps, batch.images, self._precision)

    def after_step(self, batch: Batch, student: Answer, step: Step) -> None:  # noqa: ARG002 - one signature
        """Moves the average: average = d * average + (1 - d) * parameter; buffers are copied."""
        students = tensors(self._student)
        with paddle.no_grad():
            for name, slot in tensors(self.model).items():
                value, average = students[name].tensor, slot.tensor
                # Paddle keeps the statistics of BatchNorm among the parameters, as ones that take no gradient.
                if not value.stop_gradient:
                    value = average * self._kept + value * (1 - self._kept)
                paddle.assign(value, output=average)


class Peer:
    """A second student, which learns from the first as the first from it (Zhang et al., 2018)."""

    def __init__(self, model: Any, lesson: Lesson, precision: MixedPrecision) -> None:
        run = lesson.run
        self.model, self._lesson, self._precision, self._scaler = model, lesson, precision, precision.scaler()
        if run.dtype == "float64":
            model.to(dtype="float64")
        self._taps = lesson.watched
        self._projections = Projections(run.projections, run.dtype)
        self._optimizer = make_optimizer(model, lesson.plan, projections=self._projections.parameters())
        self._own = Answer()
        self.losses: list[float] = []

    def answer(self, batch: Batch, student: Answer) -> Answer | None:  # noqa: ARG002 - one signature
        """What the peer gives."""
        self.model.train()
        with captured(self.model, self._taps) as found, self._precision.forward():
            outputs = self.model(batch.images)
        self._own = answered(outputs, found, self._precision)
        return self._own.detached()

    def after_step(self, batch: Batch, student: Answer, step: Step) -> None:
        """The peer's own step, by what the student gave before its step.

        Raises:
            TrainingDiverged: When the peer's loss is not finite.
        """
        loss = self._lesson.loss(step.weights, self._own, student.detached(), batch.labels, self._projections)
        value = float(loss)
        if not math.isfinite(value):
            raise diverged(f"{step.where}, the second student", str(value))
        self.losses.append(value)
        descend(self._optimizer, self.model, loss, step.rate, self._lesson.plan.bn_l1, self._scaler)


def _watched(model: Any, taps: tuple[str, ...], images: Any, precision: MixedPrecision) -> Answer:
    with evaluating(model), paddle.no_grad(), captured(model, taps) as found, precision.forward():
        outputs = model(images)
    return answered(outputs, found, precision)
