"""What teaches in a training: a teacher that stays as it is, the student's own average or layers, or a peer."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from paredown.algorithms.lesson import Answer, Lesson
from paredown.contracts import Array
from paredown.errors import TrainingDiverged
from paredown_torch.mixed_precision import MixedPrecision
from paredown_torch.model import tensors
from paredown_torch.optimizing import descend, make_optimizer
from paredown_torch.quantized_training import STEADIER
from paredown_torch.signals import Projections, answered
from paredown_torch.taps import captured


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch on the device, structured labels in NumPy; `taught` is the teacher's output, where core has it."""

    images: torch.Tensor
    labels: torch.Tensor | Array
    taught: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
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


def make_teaching(model: nn.Module, lesson: Lesson, projections: Projections, precision: MixedPrecision) -> Teaching:
    """What teaches by the run's `way`; a copy of the student is made here."""
    run = lesson.run
    if run.way == "online":
        assert run.peer is not None, "core gives an online training its peer"
        return Peer(run.peer, lesson, projections, precision)
    if run.way == "self":
        return OwnLayers() if run.average is None else Average(model, lesson, run.average, precision)
    return Teacher(lesson, precision)


class Teacher:
    """A teacher that is never changed, or the outputs that core has; nothing where there is neither."""

    def __init__(self, lesson: Lesson, precision: MixedPrecision) -> None:
        self._precision = precision
        self._model: nn.Module | None = lesson.run.teacher
        if self._model is not None and lesson.run.dtype == "float64":
            self._model = copy.deepcopy(self._model).double()
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

    def __init__(self, model: nn.Module, lesson: Lesson, average: float, precision: MixedPrecision) -> None:
        self._student, self._kept, self._taps, self._precision = model, average, lesson.taught, precision
        self.model = copy.deepcopy(model).eval()

    def answer(self, batch: Batch, student: Answer) -> Answer | None:  # noqa: ARG002 - one signature
        """What the average gives."""
        return _watched(self.model, self._taps, batch.images, self._precision)

    @torch.no_grad()
    def after_step(self, batch: Batch, student: Answer, step: Step) -> None:  # noqa: ARG002 - one signature
        """Moves the average: average = d * average + (1 - d) * parameter; buffers are copied."""
        parameters = dict(self._student.named_parameters())
        averages = dict(self.model.named_parameters())
        for name, average in averages.items():
            average.mul_(self._kept).add_(parameters[name] * (1 - self._kept))
        buffers, own = tensors(self._student), tensors(self.model)
        for name in own.keys() - averages.keys():
            own[name].copy_(buffers[name])


class Peer:
    """A second student, which learns from the first as the first from it (Zhang et al., 2018)."""

    def __init__(self, model: nn.Module, lesson: Lesson, projections: Projections, precision: MixedPrecision) -> None:
        self.model, self._lesson, self._precision, self._scaler = model, lesson, precision, precision.scaler()
        if lesson.run.dtype == "float64":
            model.double()
        self._taps = lesson.watched
        self._projections = copy.deepcopy(projections)
        self._optimizer = make_optimizer(model, lesson.plan.optimizer, projections=self._projections.parameters)
        self._own = Answer()
        self.losses: list[float] = []
        model.train()

    def answer(self, batch: Batch, student: Answer) -> Answer | None:  # noqa: ARG002 - one signature
        """What the peer gives."""
        with captured(self.model, self._taps) as found, self._precision.forward():
            outputs = self.model(batch.images)
        self._own = answered(outputs, found, self._precision)
        return self._own.detached()

    def after_step(self, batch: Batch, student: Answer, step: Step) -> None:
        """The peer's own step, by what the student gave before its step.

        Raises:
            TrainingDiverged: The peer's loss is not finite.
        """
        loss = self._lesson.loss(step.weights, self._own, student.detached(), batch.labels, self._projections)
        self.losses.append(finite(loss, f"{step.where}, the second student"))
        descend(self._optimizer, self.model, loss, step.rate, self._lesson.plan.bn_l1, self._scaler)


def finite(loss: torch.Tensor, where: str) -> float:
    """The number that a loss is.

    Raises:
        TrainingDiverged: It is none.
    """
    value = loss.item()
    if math.isfinite(value):
        return value
    raise TrainingDiverged(f"the training loss is {value}", where=where, expected="a finite number", remedy=STEADIER)


def _watched(model: nn.Module, taps: tuple[str, ...], images: torch.Tensor, precision: MixedPrecision) -> Answer:
    with torch.no_grad(), captured(model, taps) as found, precision.forward():
        outputs = model(images)
    return answered(outputs, found, precision)
