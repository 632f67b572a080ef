"""The optimizer of a plan, and what joins the gradients before its step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paredown.plan import DistillPlan
from paredown.spec.models import SgdConfig
from paredown_paddle.framework import paddle
from paredown_paddle.learned_scales import LearnedScales
from paredown_paddle.names import is_batch_norm


def make_optimizer(
    model: Any, plan: DistillPlan, scales: LearnedScales | None = None, projections: Sequence[Any] = ()
) -> Any:
    """The optimizer of a plan over all parameters that learn; weight decay means what it means in torch."""
    config = plan.optimizer
    parameters = [parameter for parameter in model.parameters() if not parameter.stop_gradient]
    parameters += [] if scales is None else scales.parameters()
    parameters += projections
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


def descend(optimizer: Any, model: Any, loss: Any, rate: float, bn_l1: float) -> None:
    """One step down the gradient of a loss.

    Args:
        optimizer: Of the network.
        model: The network.
        loss: A scalar.
        rate: The learning rate of this step.
        bn_l1: The strength of the penalty on BatchNorm scales.
    """
    optimizer.set_lr(rate)
    loss.backward()
    if bn_l1:
        _add_l1_slope(model, bn_l1)
    optimizer.step()
    optimizer.clear_grad()


def _add_l1_slope(model: Any, strength: float) -> None:
    """Adds strength * sign(scale) to the gradient of each BatchNorm's scale (Liu et al., 2017, equation 1)."""
    with paddle.no_grad():
        for layer in model.sublayers(include_self=True):
            scale = layer.weight if is_batch_norm(layer) else None
            if scale is not None and scale.grad is not None:
                scale.grad.add_(paddle.sign(scale) * strength)
