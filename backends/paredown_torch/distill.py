"""The training loop, under a teacher or without."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from paredown.contracts import FloatArray, IntArray, Outcome, TrainingRun
from paredown.errors import DataError, TrainingDiverged
from paredown.plan import DistillPlan
from paredown.spec.models import OptimizerConfig, SgdConfig
from paredown_torch.masking import HeldMasks
from paredown_torch.model import device_of, evaluation_mode
from paredown_torch.quantized_training import STEADIER, QuantizedStudent

Batch = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class _Loop:
    """A training under way; `masks` and `quantized` are None where nothing is masked or quantized."""

    model: nn.Module
    plan: DistillPlan
    run: TrainingRun
    optimizer: torch.optim.Optimizer
    masks: HeldMasks | None
    quantized: QuantizedStudent | None


def distill(model: nn.Module, plan: DistillPlan, run: TrainingRun) -> Outcome:
    """Trains a network in place and leaves it in evaluation mode.

    The evidence holds `loss`, the mean over the steps of each epoch. Masked weights are zero before the first step and
    after every step; no mask and no fake quantization stays in the network. Dropout draws from the run's seed and
    leaves the caller's generator alone, so that the same run gives the same weights.

    Raises:
        TrainingDiverged: The loss, or a number to quantize, is not finite any more; tells where.
        DataError: An epoch has no batches.
        PlanError: A mask or a quantization point does not fit the network.
    """
    quantized = None if run.quantizing is None else QuantizedStudent(model, run.quantizing)
    masks = None if run.masking is None else HeldMasks(model, run.masking)
    loop = _Loop(model, plan, run, _optimizer(model, plan.optimizer, quantized), masks, quantized)
    history: list[float] = []
    devices = [device_of(model)] if device_of(model).type == "cuda" else []
    with torch.random.fork_rng(devices=devices), evaluation_mode(nn.Identity() if run.teacher is None else run.teacher):
        torch.manual_seed(run.seed)
        model.train()
        try:
            for epoch in range(plan.epochs):
                history.append(_epoch(loop, epoch))
                run.on_epoch(epoch, history[-1])
        finally:
            loop.optimizer.zero_grad(set_to_none=True)
            model.eval()
    return Outcome(model, {"loss": history}, {} if quantized is None else quantized.learned())


def _epoch(loop: _Loop, epoch: int) -> float:
    losses = [
        _step(loop, batch, epoch * loop.run.steps_per_epoch + step, f"epoch {epoch + 1}, step {step + 1}")
        for step, batch in enumerate(_on_device(loop.run.batches(epoch), device_of(loop.model)))
    ]
    if not losses:
        raise DataError("an epoch has no batches", where=f"epoch {epoch + 1}", remedy="lower train.batch_size")
    return math.fsum(losses) / len(losses)


def _step(loop: _Loop, batch: Batch, position: int, where: str) -> float:
    for parameters in loop.optimizer.param_groups:
        parameters["lr"] = loop.run.learning_rate(position)
    if loop.masks is not None:
        loop.masks.before_step(position)
    if loop.quantized is not None:
        loop.quantized.before_step(position, where)
    loss = _loss(loop, batch)
    value = loss.item()
    if not math.isfinite(value):
        raise TrainingDiverged(
            f"the training loss is {value}", where=where, expected="a finite number", remedy=STEADIER
        )
    loop.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
    if loop.plan.bn_l1:
        _penalise_scales(loop.model, loop.plan.bn_l1)
    loop.optimizer.step()
    if loop.masks is not None:
        loop.masks.hold()
    if loop.quantized is not None:
        loop.quantized.after_step()
    return value


def _on_device(batches: Iterator[tuple[FloatArray, IntArray]], device: torch.device) -> Iterator[Batch]:
    for images, labels in batches:
        yield (
            torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)).to(device),
            torch.from_numpy(np.ascontiguousarray(labels, dtype=np.int64)).to(device),
        )


def _loss(loop: _Loop, batch: Batch) -> torch.Tensor:
    images, labels = batch
    taught = None
    if loop.run.teacher is not None:
        with torch.no_grad():
            taught = loop.run.teacher(images)
    student = loop.model(images) if loop.quantized is None else loop.quantized.forward(images)
    terms = [
        planned.weight * implementation(student, taught, labels, planned.options)
        for planned, implementation in zip(loop.plan.losses, loop.run.losses, strict=True)
    ]
    return torch.stack(terms).sum()


@torch.no_grad()
def _penalise_scales(model: nn.Module, strength: float) -> None:
    """Adds strength * sign(scale) to the gradients of BatchNorm scales (Liu et al., 2017, "Network Slimming")."""
    for module in model.modules():
        if isinstance(module, _BatchNorm) and module.weight is not None and module.weight.grad is not None:
            module.weight.grad.add_(module.weight.sign(), alpha=strength)


def _optimizer(model: nn.Module, config: OptimizerConfig, quantized: QuantizedStudent | None) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = [{"params": [weight for weight in model.parameters() if weight.requires_grad]}]
    if quantized is not None and quantized.clips:
        groups.append({"params": quantized.clips})
    if quantized is not None and quantized.scales:
        groups.append({"params": quantized.scales, "weight_decay": 0.0})
    if isinstance(config, SgdConfig):
        return torch.optim.SGD(
            groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov, weight_decay=config.weight_decay
        )
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, eps=config.eps, weight_decay=config.weight_decay)
