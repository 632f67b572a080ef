"""Gradients of fake quantization: straight through to the values, and to a learned scale or clipping level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paredown.plan import QuantizedTensor
from paredown_paddle.fake_quantization import Grid, divided, on_device, signs
from paredown_paddle.framework import paddle


@dataclass(frozen=True)
class Result:
    """What fake quantization gave, and its gradients: `inside` (bool) is where that of the values passes.

    `learn` turns the gradient of the result into that of the learned parameter.
    """

    values: Any
    inside: Any
    learn: Callable[[Any], Any] | None = None


def passed_through(values: Any, result: Result, parameter: Any = None) -> Any:
    """The result as a tensor whose gradient reaches the values, and the parameter where there is one."""
    if parameter is None:
        return _Passed.apply(values, result)
    return _Learned.apply(values, parameter, result)


def straight_through(values: Any, tensor: QuantizedTensor) -> Any:
    """Fake quantization whose gradient passes where the integer is not clipped (Bengio et al., 2013)."""
    with paddle.no_grad():
        grid = Grid(tensor, values)
        steps = grid.steps(values)
        result = Result(grid.restored(steps), grid.inside(steps))
    return passed_through(values, result)


def clipped(values: Any, tensor: QuantizedTensor, level: Any) -> Any:
    """Fake quantization of [0, level], where the level is learned (Choi et al., 2018, PACT, equations 1 to 3).

    Args:
        values: The tensor.
        tensor: The integers, from zero upwards; its scale is not used.
        level: float32 [1]; it takes the gradient of all values that reach it.
    """
    with paddle.no_grad():
        grid = Grid(tensor, values, level_scale(level, tensor))
        above = values >= level.reshape([1] * values.ndim)
        inside = (values >= 0) & ~above

        def learn(gradient: Any) -> Any:
            return paddle.where(above, gradient, paddle.zeros_like(gradient)).sum().reshape([1])

        result = Result(grid.restored(grid.steps(values)), inside, learn)
    return passed_through(values, result, level)


def level_scale(level: Any, tensor: QuantizedTensor) -> Any:
    """The scale at which the greatest integer stands for the level."""
    return divided(level, on_device([tensor.qmax], level))


def step_slope(values: Any, tensor: QuantizedTensor, scale: Any) -> tuple[Any, Any]:
    """The slope of fake quantization in its step size, and where that in its values is 1 (Esser et al., 2020).

    Equations 3 and 5, with low = qmin - zero_point and high = qmax - zero_point: for v = x / scale, round(v) - v where
    low < v < high, and else low or high. Binary: the sign, and every gradient passes.

    Args:
        values: float32, torch's layout.
        tensor: Integers and zero points.
        scale: float32 [scales].

    Returns:
        The slope, float32 of the values' shape, and the places (bool).
    """
    if tensor.bits == 1:
        return signs(values), paddle.ones_like(values, dtype="bool")
    grid = Grid(tensor, values, scale)
    ratio = divided(values, grid.scale)
    low, high = tensor.qmin - grid.zero_point, tensor.qmax - grid.zero_point
    inside = (ratio > low) & (ratio < high)
    return paddle.where(inside, paddle.round(ratio) - ratio, paddle.maximum(paddle.minimum(ratio, high), low)), inside


def _masked(gradient: Any, inside: Any) -> Any:
    return paddle.where(inside, gradient, paddle.zeros_like(gradient))


class _Passed(paddle.autograd.PyLayer):
    @staticmethod
    def forward(ctx: Any, values: Any, result: Result) -> Any:  # noqa: ARG004 - autograd ties the result to it
        ctx.result = result
        return result.values

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        return _masked(gradient, ctx.result.inside)


class _Learned(paddle.autograd.PyLayer):
    @staticmethod
    def forward(ctx: Any, values: Any, parameter: Any, result: Result) -> Any:  # noqa: ARG004 - as above
        ctx.result, ctx.fixed = result, values.stop_gradient
        return result.values

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        # Paddle wants None for what takes no gradient: the images, or a frozen weight.
        return None if ctx.fixed else _masked(gradient, ctx.result.inside), ctx.result.learn(gradient)
