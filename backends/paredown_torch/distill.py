"""The training loop, under a teacher or without."""

from __future__ import annotations

import math
from collections.abc import Iterator

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

Batch = tuple[torch.Tensor, torch.Tensor]


def distill(model: nn.Module, plan: DistillPlan, run: TrainingRun) -> Outcome:
    """Trains a network in place and leaves it in evaluation mode.

    The evidence holds `loss`, the mean over the steps of each epoch. Masked weights are zero before the first step and
    after every step; no mask stays in the network. Dropout draws from the run's seed and leaves the
    caller's generator alone, so that the same run gives the same weights.

    Raises:
        TrainingDiverged: The loss is not finite any more; tells where.
        DataError: An epoch has no batches.
        PlanError: A mask does not fit the network.
    """
    optimizer = _optimizer(model, plan.optimizer)
    masks = None if run.masking is None else HeldMasks(model, run.masking)
    history: list[float] = []
    devices = [device_of(model)] if device_of(model).type == "cuda" else []
    with torch.random.fork_rng(devices=devices), evaluation_mode(nn.Identity() if run.teacher is None else run.teacher):
        torch.manual_seed(run.seed)
        model.train()
        try:
            for epoch in range(plan.epochs):
                history.append(_epoch(model, optimizer, masks, plan, run, epoch))
                run.on_epoch(epoch, history[-1])
        finally:
            optimizer.zero_grad(set_to_none=True)
            model.eval()
    return Outcome(model, {"loss": history})


def _epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    masks: HeldMasks | None,
    plan: DistillPlan,
    run: TrainingRun,
    epoch: int,
) -> float:
    losses: list[float] = []
    for step, batch in enumerate(_on_device(run.batches(epoch), device_of(model))):
        position = epoch * run.steps_per_epoch + step
        for parameters in optimizer.param_groups:
            parameters["lr"] = run.learning_rate(position)
        if masks is not None:
            masks.before_step(position)
        loss = _loss(model, batch, plan, run)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise TrainingDiverged(
                f"the training loss is {losses[-1]}",
                where=f"epoch {epoch + 1}, step {step + 1}",
                expected="a finite number",
                remedy="lower optimizer.lr, or warm up: schedule: {kind: cosine, warmup_epochs: 1}",
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
        if plan.bn_l1:
            _penalise_scales(model, plan.bn_l1)
        optimizer.step()
        if masks is not None:
            masks.hold()
    if not losses:
        raise DataError("an epoch has no batches", where=f"epoch {epoch + 1}", remedy="lower train.batch_size")
    return math.fsum(losses) / len(losses)


def _on_device(batches: Iterator[tuple[FloatArray, IntArray]], device: torch.device) -> Iterator[Batch]:
    for images, labels in batches:
        yield (
            torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)).to(device),
            torch.from_numpy(np.ascontiguousarray(labels, dtype=np.int64)).to(device),
        )


def _loss(model: nn.Module, batch: Batch, plan: DistillPlan, run: TrainingRun) -> torch.Tensor:
    images, labels = batch
    taught = None
    if run.teacher is not None:
        with torch.no_grad():
            taught = run.teacher(images)
    student = model(images)
    terms = [
        planned.weight * implementation(student, taught, labels, planned.options)
        for planned, implementation in zip(plan.losses, run.losses, strict=True)
    ]
    return torch.stack(terms).sum()


@torch.no_grad()
def _penalise_scales(model: nn.Module, strength: float) -> None:
    """Adds strength * sign(scale) to the gradients of BatchNorm scales (Liu et al., 2017, "Network Slimming")."""
    for module in model.modules():
        if isinstance(module, _BatchNorm) and module.weight is not None and module.weight.grad is not None:
            module.weight.grad.add_(module.weight.sign(), alpha=strength)


def _optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if isinstance(config, SgdConfig):
        return torch.optim.SGD(
            parameters,
            lr=config.lr,
            momentum=config.momentum,
            nesterov=config.nesterov,
            weight_decay=config.weight_decay,
        )
    return torch.optim.AdamW(
        parameters, lr=config.lr, betas=config.betas, eps=config.eps, weight_decay=config.weight_decay
    )
