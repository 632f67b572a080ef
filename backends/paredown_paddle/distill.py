"""The training loop, with all its signals: masks, fake quantization, and whatever teaches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from paredown import contracts
from paredown.algorithms.lesson import Lesson, mean_loss
from paredown.contracts import Array, Outcome, TrainingRun
from paredown.plan import DistillPlan
from paredown_paddle.divergence import diverged
from paredown_paddle.framework import paddle, quiet
from paredown_paddle.masks import Holder
from paredown_paddle.mixed_precision import MixedPrecision
from paredown_paddle.names import tensors
from paredown_paddle.optimizing import descend, make_optimizer
from paredown_paddle.outputs import targets
from paredown_paddle.quantized_training import QuantizedTraining
from paredown_paddle.signals import Projections, answered
from paredown_paddle.taps import captured
from paredown_paddle.teaching import Batch, Peer, Step, Teaching, make_teaching


@dataclass(frozen=True)
class _Training:
    """What the steps of one training share."""

    model: Any
    lesson: Lesson
    optimizer: Any
    holder: Holder
    quantized: QuantizedTraining
    projections: Projections
    teaching: Teaching
    precision: MixedPrecision
    scaler: Any


def distill(model: Any, plan: DistillPlan, run: TrainingRun) -> Outcome:
    """Trains a network in place, and leaves it in evaluation mode; what is masked is zero whenever it is read.

    The evidence holds `loss`, the mean over the steps of each epoch, where a second student learns `peer_loss`, and in
    mixed precision the narrower dtype as `precision`.
    With `run.quantizing` the network computes with fake quantization while it trains, and is afterwards what it is:
    its parameters are the float ones. No hook stays in it. Dropout draws from the run's seed, so that a step gives the
    same after a restart; the generator is put back.

    Raises:
        DataError: When an epoch has no batches.
        PlanError: When a mask has no parameter of its name and shape, or a tap or quantization point does not fit.
        TrainingDiverged: When the loss is no longer a finite number, and says at which epoch and step; or when a
            tensor of the network is not, after an epoch.
        UnsupportedError: When mixed precision is asked for on a CPU.
    """
    if run.dtype == "float64":
        model.to(dtype="float64")
    training = _begin(model, Lesson(plan, run))
    losses: list[float] = []
    peer_losses: list[float] = []
    generators = paddle.get_rng_state()
    paddle.seed(run.seed)
    try:
        for epoch in range(plan.epochs):
            with quiet():
                losses.append(_epoch(training, epoch))
            peer_losses += _epoch_of_peer(training.teaching)
            _require_finite(training, epoch)
            run.on_epoch(epoch, losses[-1])
    finally:
        paddle.set_rng_state(generators)
        model.eval()
        if run.dtype == "float64":
            model.to(dtype="float32")
    evidence: dict[str, Any] = {"loss": losses} | ({"peer_loss": peer_losses} if peer_losses else {})
    evidence |= {"precision": training.precision.name} if training.precision.name else {}
    return Outcome(model, evidence, training.quantized.learned())


def _begin(model: Any, lesson: Lesson) -> _Training:
    run = lesson.run
    quantized = QuantizedTraining(model, run.quantizing)
    projections = Projections(run.projections, run.dtype)
    optimizer = make_optimizer(model, lesson.plan, quantized.scales, projections.parameters())
    holder = Holder(model, run.masking)
    precision = MixedPrecision(enabled=run.amp)
    teaching, scaler = make_teaching(model, lesson, precision), precision.scaler()
    return _Training(model, lesson, optimizer, holder, quantized, projections, teaching, precision, scaler)


def _epoch(training: _Training, epoch: int) -> float:
    """Trains for one epoch; returns the mean loss of its batches."""
    run = training.lesson.run
    training.model.train()
    losses = [
        _step(
            training,
            _on_device(batch, run.dtype),
            epoch * run.steps_per_epoch + index,
            f"epoch {epoch + 1}, step {index + 1}",
        )
        for index, batch in enumerate(run.batches(epoch))
    ]
    return mean_loss(losses, epoch)


def _epoch_of_peer(teaching: Teaching) -> list[float]:
    """The mean loss of a second student since it was last asked; nothing where there is none."""
    if not isinstance(teaching, Peer):
        return []
    losses, teaching.losses = teaching.losses, []
    return [math.fsum(losses) / len(losses)]


def _require_finite(training: _Training, epoch: int) -> None:
    """Looks into the network itself: Paddle's relu turns NaN into 0, so the loss may not show it."""
    for name, slot in tensors(training.model).items():
        if not bool(paddle.isfinite(slot.tensor).all()):
            raise diverged(f"epoch {epoch + 1}, {name}", "NaN or infinity in this tensor")
    if training.quantized.scales is not None:
        training.quantized.scales.require_finite(f"epoch {epoch + 1}")


def _step(training: _Training, batch: Batch, position: int, where: str) -> float:
    lesson = training.lesson
    step = Step(tuple(lesson.weights(position)), lesson.run.learning_rate(position), where)
    training.holder.before_step(position)
    training.quantized.before_step(position)
    with captured(training.model, lesson.watched) as found, training.quantized.applied(), training.precision.forward():
        outputs = training.model(batch.images)
    student = answered(outputs, found, training.precision)
    taught = training.teaching.answer(batch, student)
    loss = lesson.loss(step.weights, student, taught, batch.labels, training.projections)
    descend(training.optimizer, training.model, loss, step.rate, lesson.plan.bn_l1, training.scaler)
    training.holder.hold()
    training.quantized.hold()
    value = float(loss)
    if not math.isfinite(value):
        raise diverged(where, str(value))
    training.teaching.after_step(batch, student, step)
    return value


def _on_device(batch: contracts.Batch, dtype: str) -> Batch:
    images, labels, *taught = batch
    return Batch(_tensor(images, dtype), targets(labels, dtype), _tensor(taught[0], dtype) if taught else None)


def _tensor(values: Array, dtype: str) -> Any:
    return paddle.to_tensor(np.ascontiguousarray(values, dtype=dtype))
