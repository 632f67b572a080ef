"""Fake quantization that trains: each function's forward pass quantizes, its backward pass does as if it had not.

Rounding has the gradient 1 (Bengio et al., 2013, "straight-through estimator"), and clipping has none outside its
range. Everything is float32; `grid` and `Grid` are of `fake_quantization`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd import Function

from paredown.algorithms.learned_scales import SMALLEST_FACTOR
from paredown_torch.fake_quantization import Grid

Factor = torch.Tensor | None
"""float64, shaped to broadcast over a weight: what the weight is multiplied with before it is quantized, and divided
by afterwards."""


def straight_through(values: torch.Tensor, grid: Grid, factor: Factor = None) -> torch.Tensor:
    """fake_quantize(values * factor) / factor; gradients pass where the rounded value is not clipped.

    Binary values pass every gradient (Zhou et al., 2016, "DoReFa-Net", section 2.3): a clip at 1, as in Hubara et al.
    (2016), would depend on how BatchNorm scales the weights.
    """
    result: torch.Tensor = _StraightThrough.apply(values, grid, factor)
    return result


def learned_step(values: torch.Tensor, grid: Grid, factor: Factor = None) -> torch.Tensor:
    """The same, with a gradient for `grid.scale` (Esser et al., 2020, "Learned Step Size Quantization", equation 3).

    With v = values * factor / scale, low = qmin - zero_point and high = qmax - zero_point, the derivative by the scale
    is round(v) - v where low < v < high, and else low or high; `values` take gradients where low < v < high. For binary
    values it is -1 or 1, and every gradient passes.
    """
    result: torch.Tensor = _LearnedStep.apply(values, grid.scale, grid, factor)
    return result


def learned_clip(values: torch.Tensor, alpha: torch.Tensor, qmax: int) -> torch.Tensor:
    """Quantizes [0, alpha] to qmax steps (Choi et al., 2018, "PACT", equations 1 to 3).

    Values take gradients where 0 <= x < alpha; `alpha`, a tensor with one element, where x >= alpha.
    """
    result: torch.Tensor = _LearnedClip.apply(values, alpha, qmax)
    return result


def scaled_start(start: torch.Tensor, ratio: torch.Tensor, unit: torch.Tensor, gradient_scale: float) -> torch.Tensor:
    """The product of the three, float32, where descending on `ratio` descends on start * ratio.

    The gradient of `ratio` is gradient_scale / start times that of start * ratio. Gradient descent then moves that
    product as if it were the parameter; Adam, whose steps do not depend on the size of gradients, by a share of itself.
    """
    result: torch.Tensor = _ScaledStart.apply(ratio, start, unit, gradient_scale)
    return result


def _multiplied(values: torch.Tensor, factor: Factor) -> torch.Tensor:
    # In float64 and rounded once: these are the numbers that `fold_batch_norm` gives.
    return values if factor is None else (values.double() * factor).float()


def _divided(values: torch.Tensor, quantized: torch.Tensor, factor: Factor) -> torch.Tensor:
    if factor is None:
        return quantized
    return torch.where(factor.abs() < SMALLEST_FACTOR, values, (quantized.double() / factor).float())


class _StraightThrough(Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, grid: Grid, factor: Factor) -> torch.Tensor:
        multiplied = _multiplied(values, factor)
        if grid.is_binary:
            return _divided(values, grid.nearest(multiplied), factor)
        steps = grid.steps(multiplied)
        inside = (steps >= grid.qmin) & (steps <= grid.qmax)
        ctx.save_for_backward(inside if factor is None else inside | (factor.abs() < SMALLEST_FACTOR))
        return _divided(values, grid.nearest(multiplied, steps), factor)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradient,) = gradients
        return gradient * ctx.saved_tensors[0] if ctx.saved_tensors else gradient, None, None


class _LearnedStep(Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, scale: torch.Tensor, grid: Grid, factor: Factor) -> torch.Tensor:
        multiplied = _multiplied(values, factor)
        quantized = grid.nearest(multiplied)
        if grid.is_binary:
            slope, inside = torch.where(multiplied >= 0, 1.0, -1.0), torch.ones_like(multiplied, dtype=torch.bool)
        else:
            ratio, low, high = multiplied / scale, grid.qmin - grid.zero_point, grid.qmax - grid.zero_point
            inside = (ratio > low) & (ratio < high)
            slope = torch.where(inside, torch.round(ratio) - ratio, torch.clamp(ratio, low, high))
        if factor is not None:
            unquantized = factor.abs() < SMALLEST_FACTOR
            inside = inside | unquantized
            slope = torch.where(unquantized, 0.0, slope / factor).float()
        ctx.save_for_backward(inside, slope)
        ctx.scale_shape = scale.shape
        return _divided(values, quantized, factor)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        (gradient,) = gradients
        inside, slope = ctx.saved_tensors
        return gradient * inside, (gradient * slope).sum_to_size(ctx.scale_shape), None, None


class _LearnedClip(Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, alpha: torch.Tensor, qmax: int) -> torch.Tensor:
        above = values >= alpha
        ctx.save_for_backward((values >= 0) & ~above, above)
        ctx.alpha_shape = alpha.shape
        scale = alpha / qmax
        return torch.clamp(torch.round(values / scale), 0, qmax) * scale

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        (gradient,) = gradients
        inside, above = ctx.saved_tensors
        return gradient * inside, (gradient * above).sum().reshape(ctx.alpha_shape), None


class _ScaledStart(Function):
    @staticmethod
    def forward(
        ctx: Any, ratio: torch.Tensor, start: torch.Tensor, unit: torch.Tensor, gradient_scale: float
    ) -> torch.Tensor:
        ctx.save_for_backward(gradient_scale * unit / start)
        return (start * ratio.double() * unit).float().clamp(min=SMALLEST_FACTOR)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (gradient,) = gradients
        return (gradient * ctx.saved_tensors[0]).float(), None, None, None
