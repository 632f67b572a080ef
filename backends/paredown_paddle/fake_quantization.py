"""Fake quantization of Paddle's tensors: the arithmetic of `paredown.algorithms.quantizing`, step for step.

All in float32 and in torch's layout.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from paredown.algorithms.qparams import runtime_qparams
from paredown.errors import DataError
from paredown.plan import QuantizedTensor
from paredown_paddle.framework import paddle


def on_device(numbers: Any, like: Any) -> Any:
    """Numbers as a float32 tensor beside another one."""
    return paddle.to_tensor(np.asarray(numbers, dtype=np.float32), place=like.place)


def divided(values: Any, divisor: Any) -> Any:
    """The quotient of float32 tensors, rounded as IEEE 754 says.

    Paddle hands tensors of equal shape to a vector library whose quotients may differ by one unit in the last place;
    in float64 that is far too little to show after rounding to float32.
    """
    if list(values.shape) != list(divisor.shape):
        return values / divisor
    return (values.astype("float64") / divisor.astype("float64")).astype("float32")


def per_element(numbers: Any, shape: list[int], axis: int | None, group_size: int | None) -> Any:
    """One number for each row, shaped to broadcast over a tensor; `paredown.algorithms.grouping.per_element`."""
    if axis is None:
        return numbers.reshape([1] * len(shape))
    if group_size is None:
        return numbers.reshape([size if dimension == axis else 1 for dimension, size in enumerate(shape)])
    length = int(np.prod(shape[1:], dtype=np.int64))
    repeated = paddle.repeat_interleave(numbers.reshape([shape[0], -1]), min(group_size, length), axis=1)
    return repeated[:, :length].reshape(shape)


def row_sums(values: Any, axis: int | None, group_size: int | None) -> Any:
    """The sum of each row: of the numbers that share a scale; [scales]."""
    if axis is None:
        return values.sum().reshape([1])
    if group_size is None:
        return values.sum([dimension for dimension in range(values.ndim) if dimension != axis])
    flat = values.reshape([values.shape[0], -1])
    group_size = min(group_size, flat.shape[1])
    missing = -flat.shape[1] % group_size
    if missing:
        flat = paddle.concat([flat, paddle.zeros([flat.shape[0], missing], flat.dtype)], axis=1)
    return flat.reshape([-1, group_size]).sum(1)


class Grid:
    """The numbers that a tensor of some shape is rounded to.

    Args:
        tensor: Integers, scales and zero points.
        like: A tensor of that shape, on the device to use.
        scale: float32 [scales], to be used for the scales of `tensor`.
    """

    def __init__(self, tensor: QuantizedTensor, like: Any, scale: Any = None) -> None:
        shape = [int(size) for size in like.shape]
        rows = tensor.axis, tensor.group_size
        self.tensor = tensor
        self.scale = per_element(on_device(tensor.scale, like) if scale is None else scale, shape, *rows)
        self.zero_point = per_element(on_device(tensor.zero_point, like), shape, *rows)

    def steps(self, values: Any) -> Any:
        """The integers as floats, not clipped; binary ones are the values themselves, whose sign decides."""
        if self.tensor.bits == 1:
            return values
        return paddle.round(divided(values, self.scale)) + self.zero_point

    def restored(self, steps: Any) -> Any:
        """The values that integers stand for."""
        if self.tensor.bits == 1:
            return signs(steps) * self.scale
        clipped = paddle.clip(steps, float(self.tensor.qmin), float(self.tensor.qmax))
        return (clipped - self.zero_point) * self.scale

    def inside(self, steps: Any) -> Any:
        """Where the gradient passes, bool: where the integer is not clipped, and everywhere for binary ones.

        So do Zhou et al. (2016, "DoReFa-Net", section 2.3). A clip at 1, as in Hubara et al. (2016), would depend on
        how BatchNorm scales the weights.
        """
        if self.tensor.bits == 1:
            return paddle.ones_like(steps, dtype="bool")
        return (steps >= self.tensor.qmin) & (steps <= self.tensor.qmax)


def signs(values: Any) -> Any:
    """1 where a value is zero or greater, else -1."""
    return paddle.where(values >= 0, paddle.ones_like(values), paddle.full_like(values, -1.0))


def fake_quantize(values: Any, tensor: QuantizedTensor) -> Any:
    """A tensor after quantizing and dequantizing; where the range is taken at run time, it is that of the tensor.

    Raises:
        DataError: The range is taken at run time, and a value is not finite.
    """
    if not tensor.scale:
        tensor = runtime_qparams(*_finite_range(values))
    grid = Grid(tensor, values)
    return grid.restored(grid.steps(values))


def value_range(values: Any) -> tuple[float, float]:
    """The smallest and the greatest value; NaN where one value is."""
    return float(values.min()), float(values.max())


def _finite_range(values: Any) -> tuple[float, float]:
    low, high = value_range(values)
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    raise DataError(
        "the range to quantize is not finite",
        where="a tensor whose range is taken at run time",
        value=f"[{low}, {high}]",
        expected="finite numbers",
        remedy="look for overflow in the network, or for NaN in the images",
    )
