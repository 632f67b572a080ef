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
    if isinstance(config, SgdConfig) and all(parameter.dtype == paddle.float64 for parameter in parameters):
        return PreciseMomentum(config, parameters)
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


class PreciseMomentum:
    """Gradient descent with momentum on float64 parameters, by torch's formula.

    v = momentum * v + g + weight_decay * w; w = w - rate * v, or, with Nesterov's momentum, w - rate * (g + momentum *
    v). Paddle's own kernel takes momentum and weight decay as float32 numbers: its 0.9 is 2.6e-8 less than 0.9.
    """

    def __init__(self, config: SgdConfig, parameters: Sequence[Any]) -> None:
        self._config, self._parameters, self._rate = config, parameters, config.lr
        self._velocities = [paddle.zeros_like(parameter) for parameter in parameters]

    def set_lr(self, rate: float) -> None:
        """The learning rate from the next step on."""
        self._rate = rate

    def step(self) -> None:
        """One step by the gradients that are there."""
        momentum, decay = self._config.momentum, self._config.weight_decay
        with paddle.no_grad():
            for parameter, velocity in zip(self._parameters, self._velocities, strict=True):
                if parameter.grad is not None:
                    gradient = parameter.grad + decay * parameter
                    paddle.assign(momentum * velocity + gradient, output=velocity)
                    change = gradient + momentum * velocity if self._config.nesterov else velocity
                    paddle.assign(parameter - self._rate * change, output=parameter)

    def clear_grad(self) -> None:
        """Forgets the gradients."""
        for parameter in self._parameters:
            parameter.clear_gradient(set_to_zero=False)


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
