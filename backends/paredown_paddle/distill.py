"""The one training loop: with a teacher or without."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from paredown.contracts import FloatArray, IntArray, Outcome, TrainingRun
from paredown.errors import DataError, TrainingDiverged
from paredown.plan import DistillPlan
from paredown.spec.models import SgdConfig
from paredown_paddle.framework import paddle, quiet
from paredown_paddle.masks import Holder
from paredown_paddle.names import is_batch_norm, tensors


def distill(model: Any, plan: DistillPlan, run: TrainingRun) -> Outcome:
    """Trains a network in place, and leaves it in evaluation mode; what is masked is zero whenever it is read.

    Dropout draws from the run's seed, so that a step gives the same after a restart; the generator is put back.

    Raises:
        DataError: When an epoch has no batches.
        PlanError: When a mask has no parameter of its name and shape.
        TrainingDiverged: When the loss is no longer a finite number, and says at which epoch and step; or when a
            tensor of the network is not, after an epoch.
    """
    optimizer = make_optimizer(model, plan)
    holder = Holder(model, run.masking)
    losses: list[float] = []
    generators = paddle.get_rng_state()
    paddle.seed(run.seed)
    try:
        for epoch in range(plan.epochs):
            with quiet():
                losses.append(_epoch(model, plan, run, optimizer, holder, epoch))
            _require_finite(model, epoch)
            run.on_epoch(epoch, losses[-1])
    finally:
        paddle.set_rng_state(generators)
        model.eval()
    return Outcome(model, {"loss": losses})


def make_optimizer(model: Any, plan: DistillPlan) -> Any:
    """The optimizer of a plan over all parameters that learn; weight decay means what it means in torch."""
    config = plan.optimizer
    parameters = [parameter for parameter in model.parameters() if not parameter.stop_gradient]
    if isinstance(config, SgdConfig):
        return paddle.optimizer.Momentum(
            learning_rate=config.lr,
            momentum=config.momentum,
            use_nesterov=config.nesterov,
            weight_decay=config.weight_decay or None,
            parameters=parameters,
        )
    return paddle.optimizer.AdamW(
        learning_rate=config.lr,
        beta1=config.betas[0],
        beta2=config.betas[1],
        epsilon=config.eps,
        weight_decay=config.weight_decay,
        parameters=parameters,
    )


def _epoch(model: Any, plan: DistillPlan, run: TrainingRun, optimizer: Any, holder: Holder, epoch: int) -> float:
    """Trains for one epoch; returns the mean loss of its batches."""
    model.train()
    losses: list[float] = []
    for index, (images, labels) in enumerate(run.batches(epoch)):
        step = epoch * run.steps_per_epoch + index
        optimizer.set_lr(run.learning_rate(step))
        holder.before_step(step)
        value = _step(model, plan, run, optimizer, images, labels)
        holder.hold()
        if not math.isfinite(value):
            raise _diverged(f"epoch {epoch + 1}, step {step + 1}", str(value))
        losses.append(value)
    if not losses:
        raise DataError("an epoch has no batches", where=f"epoch {epoch + 1}", remedy="lower train.batch_size")
    return math.fsum(losses) / len(losses)


def _require_finite(model: Any, epoch: int) -> None:
    """Looks into the network itself: Paddle's relu turns NaN into 0, so the loss may not show it."""
    for name, slot in tensors(model).items():
        if not bool(paddle.isfinite(slot.tensor).all()):
            raise _diverged(f"epoch {epoch + 1}, {name}", "NaN or infinity in this tensor")


def _step(
    model: Any, plan: DistillPlan, run: TrainingRun, optimizer: Any, images: FloatArray, labels: IntArray
) -> float:
    inputs = paddle.to_tensor(np.ascontiguousarray(images))
    targets = paddle.to_tensor(np.ascontiguousarray(labels))
    student = model(inputs)
    teacher = _teach(run.teacher, inputs)
    terms = [
        term.weight * implementation(student, teacher, targets, term.options)
        for term, implementation in zip(plan.losses, run.losses, strict=True)
    ]
    loss = sum(terms[1:], terms[0])
    loss.backward()
    if plan.bn_l1:
        _add_l1_slope(model, plan.bn_l1)
    optimizer.step()
    optimizer.clear_grad()
    return float(loss)


def _add_l1_slope(model: Any, strength: float) -> None:
    """Adds strength * sign(scale) to the gradient of each BatchNorm's scale (Liu et al., 2017, equation 1)."""
    with paddle.no_grad():
        for layer in model.sublayers(include_self=True):
            scale = layer.weight if is_batch_norm(layer) else None
            if scale is not None and scale.grad is not None:
                scale.grad.add_(paddle.sign(scale) * strength)


def _teach(teacher: Any, inputs: Any) -> Any:
    if teacher is None:
        return None
    teacher.eval()
    with paddle.no_grad():
        return teacher(inputs)


def _diverged(where: str, value: str) -> TrainingDiverged:
    return TrainingDiverged(
        "training diverged: its numbers are no longer finite",
        where=where,
        value=value,
        expected="finite numbers",
        remedy="look for NaN in the images; lower the learning rate, or add warmup_epochs to the schedule",
    )
