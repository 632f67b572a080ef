"""The training loop, with all its signals: masks, fake quantization, and whatever teaches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from paredown import contracts
from paredown.algorithms.lesson import Answer, Lesson, mean_loss
from paredown.contracts import Outcome, TrainingRun
from paredown.plan import DistillPlan
from paredown_torch.masking import HeldMasks
from paredown_torch.mixed_precision import MixedPrecision
from paredown_torch.model import device_of, evaluation_mode
from paredown_torch.optimizing import descend, make_optimizer
from paredown_torch.outputs import targets
from paredown_torch.quantized_training import QuantizedStudent
from paredown_torch.signals import Projections, answered
from paredown_torch.taps import captured
from paredown_torch.teaching import Batch, Peer, Step, Teaching, finite, make_teaching


@dataclass(frozen=True, slots=True)
class _Loop:
    """A training under way; `masks` and `quantized` are None where nothing is masked or quantized."""

    model: nn.Module
    lesson: Lesson
    optimizer: torch.optim.Optimizer
    masks: HeldMasks | None
    quantized: QuantizedStudent | None
    projections: Projections
    teaching: Teaching
    precision: MixedPrecision
    scaler: torch.amp.GradScaler


def distill(model: nn.Module, plan: DistillPlan, run: TrainingRun) -> Outcome:
    """Trains a network in place and leaves it in evaluation mode.

    The evidence holds `loss`, the mean over the steps of each epoch, where a second student learns `peer_loss`, and in
    mixed precision the narrower dtype as `precision`.
    Masked weights are zero before the first step and after every step; no mask, no hook and no fake quantization stays
    in the network. Dropout draws from the run's seed and leaves the caller's generator alone, so that the same run
    gives the same weights.

    Raises:
        TrainingDiverged: The loss, or a number to quantize, is not finite any more; tells where.
        DataError: An epoch has no batches.
        PlanError: A mask, a tap or a quantization point does not fit the network.
    """
    precise = run.dtype == "float64"
    if precise:
        model.double()
    loop = _begin(model, Lesson(plan, run))
    history: list[float] = []
    peer_history: list[float] = []
    devices = [device_of(model)] if device_of(model).type == "cuda" else []
    with torch.random.fork_rng(devices=devices), evaluation_mode(nn.Identity() if run.teacher is None else run.teacher):
        torch.manual_seed(run.seed)
        model.train()
        try:
            for epoch in range(plan.epochs):
                history.append(_epoch(loop, epoch))
                peer_history += _epoch_of_peer(loop.teaching)
                run.on_epoch(epoch, history[-1])
        finally:
            loop.optimizer.zero_grad(set_to_none=True)
            model.eval()
            if precise:
                model.float()
    evidence: dict[str, Any] = {"loss": history} | ({"peer_loss": peer_history} if peer_history else {})
    evidence |= {"precision": loop.precision.name} if loop.precision.name else {}
    return Outcome(model, evidence, {} if loop.quantized is None else loop.quantized.learned())


def _begin(model: nn.Module, lesson: Lesson) -> _Loop:
    run = lesson.run
    quantized = None if run.quantizing is None else QuantizedStudent(model, run.quantizing)
    masks = None if run.masking is None else HeldMasks(model, run.masking)
    projections = Projections(run.projections, _like(lesson, model))
    optimizer = make_optimizer(model, lesson.plan.optimizer, quantized, projections.parameters)
    precision = MixedPrecision(device_of(model), enabled=run.amp)
    teaching = make_teaching(model, lesson, projections, precision)
    scaler = precision.scaler()
    return _Loop(model, lesson, optimizer, masks, quantized, projections, teaching, precision, scaler)


def _epoch(loop: _Loop, epoch: int) -> float:
    run = loop.lesson.run
    losses = [
        _step(loop, batch, epoch * run.steps_per_epoch + step, f"epoch {epoch + 1}, step {step + 1}")
        for step, batch in enumerate(_on_device(run.batches(epoch), _like(loop.lesson, loop.model)))
    ]
    return mean_loss(losses, epoch)


def _epoch_of_peer(teaching: Teaching) -> list[float]:
    """The mean loss of a second student since it was last asked; nothing where there is none."""
    if not isinstance(teaching, Peer):
        return []
    losses, teaching.losses = teaching.losses, []
    return [math.fsum(losses) / len(losses)]


def _step(loop: _Loop, batch: Batch, position: int, where: str) -> float:
    lesson = loop.lesson
    step = Step(tuple(lesson.weights(position)), lesson.run.learning_rate(position), where)
    if loop.masks is not None:
        loop.masks.before_step(position)
    if loop.quantized is not None:
        loop.quantized.before_step(position, where)
    student = _answer(loop, batch)
    taught = loop.teaching.answer(batch, student)
    loss = lesson.loss(step.weights, student, taught, batch.labels, loop.projections)
    value = finite(loss, where)
    descend(loop.optimizer, loop.model, loss, step.rate, lesson.plan.bn_l1, loop.scaler)
    if loop.masks is not None:
        loop.masks.hold()
    if loop.quantized is not None:
        loop.quantized.after_step()
    loop.teaching.after_step(batch, student, step)
    return value


def _answer(loop: _Loop, batch: Batch) -> Answer:
    with captured(loop.model, loop.lesson.watched) as found, loop.precision.forward():
        outputs = loop.model(batch.images) if loop.quantized is None else loop.quantized.forward(batch.images)
    return answered(outputs, found, loop.precision)


def _like(lesson: Lesson, model: nn.Module) -> torch.Tensor:
    """An empty tensor on the device of the network, in the dtype that the training computes in."""
    return torch.empty(0, dtype=getattr(torch, lesson.run.dtype), device=device_of(model))


def _on_device(batches: Iterator[contracts.Batch], like: torch.Tensor) -> Iterator[Batch]:
    """Batches on the device of a tensor, numbers in its dtype."""
    for images, labels, *taught in batches:
        yield Batch(
            torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)).to(like),
            targets(labels, like),
            torch.from_numpy(np.ascontiguousarray(taught[0], dtype=np.float32)).to(like) if taught else None,
        )
