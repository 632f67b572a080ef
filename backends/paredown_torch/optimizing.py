"""The optimizer of a plan, and what joins the gradients before its step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from paredown.spec.models import OptimizerConfig, SgdConfig
from paredown_torch.quantized_training import QuantizedStudent


def make_optimizer(
    model: nn.Module,
    config: OptimizerConfig,
    quantized: QuantizedStudent | None = None,
    projections: Sequence[nn.Parameter] = (),
) -> torch.optim.Optimizer:
    """An optimizer over the parameters that learn, with a group for each kind of parameter beside the network's."""
    groups: list[dict[str, Any]] = [{"params": [weight for weight in model.parameters() if weight.requires_grad]}]
    if quantized is not None and quantized.clips:
        groups.append({"params": quantized.clips})
    if quantized is not None and quantized.scales:
        groups.append({"params": quantized.scales, "weight_decay": 0.0})
    if projections:
        groups.append({"params": list(projections)})
    if isinstance(config, SgdConfig):
        return torch.optim.SGD(
            groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov, weight_decay=config.weight_decay
        )
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, eps=config.eps, weight_decay=config.weight_decay)


def descend(
    optimizer: torch.optim.Optimizer,
    model: nn.Module,
    loss: torch.Tensor,
    rate: float,
    bn_l1: float,
    scaler: torch.amp.GradScaler,
) -> None:
    """One step down the gradient of a loss.

    Args:
        optimizer: Of the network.
        model: The network.
        loss: A scalar.
        rate: The learning rate of this step.
        bn_l1: The strength of the penalty on BatchNorm scales.
        scaler: Of this optimizer; it scales the loss where gradients are float16, and skips a step that overflows.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # torch does not type it
    scaler.unscale_(optimizer)
    if bn_l1:
        _penalise_scales(model, bn_l1)
    scaler.step(optimizer)
    scaler.update()


@torch.no_grad()
def _penalise_scales(model: nn.Module, strength: float) -> None:
    """Adds strength * sign(scale) to the gradients of BatchNorm scales (Liu et al., 2017, "Network Slimming")."""
    for module in model.modules():
        if isinstance(module, _BatchNorm) and module.weight is not None and module.weight.grad is not None:
            module.weight.grad.add_(module.weight.sign(), alpha=strength)
