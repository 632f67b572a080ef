"""The one training loop: with a teacher or without."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from paredown.contracts import FloatArray, IntArray, Outcome, TrainingRun
from paredown.errors import DataError
from paredown.plan import DistillPlan
from paredown.spec.models import SgdConfig
from paredown_paddle.divergence import diverged
from paredown_paddle.framework import paddle, quiet
from paredown_paddle.learned_scales import LearnedScales
from paredown_paddle.masks import Holder
from paredown_paddle.names import is_batch_norm, tensors
from paredown_paddle.quantized_training import QuantizedTraining


@dataclass(frozen=True)
class _Training:
    """What the steps of one training share."""

    model: Any
    plan: DistillPlan
    run: TrainingRun
    optimizer: Any
    holder: Holder
    quantized: QuantizedTraining


def distill(model: Any, plan: DistillPlan, run: TrainingRun) -> Outcome:
    """Trains a network in place, and leaves it in evaluation mode; what is masked is zero whenever it is read.

    With `run.quantizing` the network computes with fake quantization while it trains, and is afterwards what it is:
    its parameters are the float ones. Dropout draws from the run's seed, so that a step gives the same after a restart;
    the generator is put back.

    Raises:
        DataError: When an epoch has no batches.
        PlanError: When a mask has no parameter of its name and shape, or a quantization point does not fit.
        TrainingDiverged: When the loss is no longer a finite number, and says at which epoch and step; or when a
            tensor of the network is not, after an epoch.
    """
    quantized = QuantizedTraining(model, run.quantizing)
    optimizer = make_optimizer(model, plan, quantized.scales)
    training = _Training(model, plan, run, optimizer, Holder(model, run.masking), quantized)
    losses: list[float] = []
    generators = paddle.get_rng_state()
    paddle.seed(run.seed)
    try:
        for epoch in range(plan.epochs):
            with quiet():
                losses.append(_epoch(training, epoch))
            _require_finite(training, epoch)
            run.on_epoch(epoch, losses[-1])
    finally:
        paddle.set_rng_state(generators)
        model.eval()
    return Outcome(model, {"loss": losses}, quantized.learned())


def make_optimizer(model: Any, plan: DistillPlan, scales: LearnedScales | None = None) -> Any:
    """The optimizer of a plan over all parameters that learn; weight decay means what it means in torch."""
    config = plan.optimizer
    parameters = [parameter for parameter in model.parameters() if not parameter.stop_gradient]
    parameters += [] if scales is None else scales.parameters()
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
        apply_decay_param_fun=None if scales is None else scales.is_decayed,
    )


def _epoch(training: _Training, epoch: int) -> float:
    """Trains for one epoch; returns the mean loss of its batches."""
    run = training.run
    training.model.train()
    losses: list[float] = []
    for index, (images, labels) in enumerate(run.batches(epoch)):
        step = epoch * run.steps_per_epoch + index
        training.optimizer.set_lr(run.learning_rate(step))
        training.holder.before_step(step)
        training.quantized.before_step(step)
        value = _step(training, images, labels)
        training.holder.hold()
        training.quantized.hold()
        if not math.isfinite(value):
            raise diverged(f"epoch {epoch + 1}, step {step + 1}", str(value))
        losses.append(value)
    if not losses:
        raise DataError("an epoch has no batches", where=f"epoch {epoch + 1}", remedy="lower train.batch_size")
    return math.fsum(losses) / len(losses)


def _require_finite(training: _Training, epoch: int) -> None:
    """Looks into the network itself: Paddle's relu turns NaN into 0, so the loss may not show it."""
    for name, slot in tensors(training.model).items():
        if not bool(paddle.isfinite(slot.tensor).all()):
            raise diverged(f"epoch {epoch + 1}, {name}", "NaN or infinity in this tensor")
    if training.quantized.scales is not None:
        training.quantized.scales.require_finite(f"epoch {epoch + 1}")


def _step(training: _Training, images: FloatArray, labels: IntArray) -> float:
    plan, run = training.plan, training.run
    inputs = paddle.to_tensor(np.ascontiguousarray(images))
    targets = paddle.to_tensor(np.ascontiguousarray(labels))
    with training.quantized.applied():
        student = training.model(inputs)
    teacher = _teach(run.teacher, inputs)
    terms = [
        term.weight * implementation(student, teacher, targets, term.options)
        for term, implementation in zip(plan.losses, run.losses, strict=True)
    ]
    loss = sum(terms[1:], terms[0])
    loss.backward()
    if plan.bn_l1:
        _add_l1_slope(training.model, plan.bn_l1)
    training.optimizer.step()
    training.optimizer.clear_grad()
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
