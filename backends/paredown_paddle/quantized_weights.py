"""The weight of one layer as it computes while the network trains with fake quantization."""

from __future__ import annotations

import math
from typing import Any

from paredown.algorithms import learned_scales
from paredown.algorithms.fold import fold_factor
from paredown.algorithms.learned_scales import SMALLEST_FACTOR
from paredown.contracts import FloatArray
from paredown.plan import QuantizedTensor
from paredown_paddle.fake_quantization import Grid
from paredown_paddle.framework import paddle
from paredown_paddle.learned_scales import StepSize
from paredown_paddle.names import Slot
from paredown_paddle.straight_through import Result, passed_through, step_slope


def factor_of(batch_norm: Any) -> FloatArray:
    """What BatchNorm multiplies each output channel with when it is folded, float64 [out]."""
    # Core's own formula: in Paddle vectors of equal length are divided with another rounding.
    gamma, variance = batch_norm.weight.numpy(), batch_norm._variance.numpy()
    factor: FloatArray = fold_factor(gamma, variance, float(batch_norm._epsilon))
    return factor


def factor_size(batch_norm: Any, tensor: QuantizedTensor) -> FloatArray:
    """What step sizes of the weight before it are measured in: the size of that factor."""
    return learned_scales.factor_size(factor_of(batch_norm), tensor)


class QuantizedWeight:
    """fake_quantize(w * k) / k, where BatchNorm multiplies output channels with k, a number without gradient.

    Attributes:
        slot: Where the weight is.
        tensor: How it is quantized now.
    """

    def __init__(self, slot: Slot, tensor: QuantizedTensor, batch_norm: Any, step: StepSize | None) -> None:
        self.slot, self.tensor = slot, tensor
        self._batch_norm, self._step = batch_norm, step

    def quantized(self) -> Any:
        """The weight in Paddle's layout; its gradient reaches the parameter, and the step sizes where they learn."""
        parameter = self.slot.tensor
        with paddle.no_grad():
            own = self._turned(parameter)
            factor = self._factor(own)
            result = self._plain(own) if factor is None else self._folded(own, factor)
            learn = result.learn
            turned = Result(
                self._turned(result.values),
                self._turned(result.inside),
                None if learn is None else lambda gradient: learn(self._turned(gradient)),
            )
        return passed_through(parameter, turned, None if self._step is None else self._step.share)

    def _plain(self, values: Any, divisor: Any = None) -> Result:
        """Fake quantization in torch's layout; what is learned is divided, where the result will be."""
        scale = None if self._step is None else self._step.scale
        grid = Grid(self.tensor, values, scale)
        steps = grid.steps(values)
        if self._step is None:
            return Result(grid.restored(steps), grid.inside(steps))
        slope, inside = step_slope(values, self.tensor, scale)
        slope = slope if divisor is None else (slope.astype("float64") / divisor).astype("float32")
        learn = self._step.learner(self.tensor, slope, slope.size // len(self.tensor.scale))
        return Result(grid.restored(steps), inside, learn)

    def _folded(self, own: Any, factor: Any) -> Result:
        """The same of own * factor, divided by the factor again: in float64, as in `fold_batch_norm`."""
        used = factor.abs() >= SMALLEST_FACTOR
        # What has no factor takes no part: it passes its gradient, and gives none to a step size.
        divisor = paddle.where(used, factor, paddle.full_like(factor, math.inf))
        result = self._plain((own.astype("float64") * factor).astype("float32"), divisor)
        values = (result.values.astype("float64") / divisor).astype("float32")
        return Result(paddle.where(used, values, own), result.inside | ~used, result.learn)

    def _turned(self, values: Any) -> Any:
        """From Paddle's layout to torch's, and back."""
        return values.t() if self.slot.transposed else values

    def _factor(self, own: Any) -> Any:
        """K for each output channel, float64, shaped to broadcast; None without a BatchNorm."""
        if self._batch_norm is None:
            return None
        factor = paddle.to_tensor(factor_of(self._batch_norm), dtype="float64", place=own.place)
        return factor.reshape([-1] + [1] * (own.ndim - 1))
