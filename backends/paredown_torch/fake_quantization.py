"""Fake quantization in float32, operation for operation what `paredown.algorithms.quantizing` does in NumPy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from paredown.algorithms.grouping import row_count
from paredown.algorithms.qparams import runtime_qparams
from paredown.errors import DataError
from paredown.plan import QuantizedTensor


@dataclass(frozen=True, slots=True)
class Grid:
    """The values that a tensor may take: scale and zero point as float32, shaped to broadcast over it."""

    scale: torch.Tensor
    zero_point: torch.Tensor
    qmin: int
    qmax: int
    is_binary: bool

    def steps(self, values: torch.Tensor) -> torch.Tensor:
        """round(x / scale) + zero_point, rounding half to even, before it is clipped."""
        return torch.round(values / self.scale) + self.zero_point

    def nearest(self, values: torch.Tensor, steps: torch.Tensor | None = None) -> torch.Tensor:
        """The values that the integers stand for; `steps` are those of the values where they are known already."""
        if self.is_binary:
            return torch.where(values >= 0, self.scale, -self.scale)
        known = self.steps(values) if steps is None else steps
        return (torch.clamp(known, self.qmin, self.qmax) - self.zero_point) * self.scale


def fake_quantize(values: torch.Tensor, tensor: QuantizedTensor, *, where: str = "tensor") -> torch.Tensor:
    """What the integers stand for: (q - zero_point) * scale; see `QuantizedTensor` for q.

    Where the tensor's range is taken at run time, that is the range of `values`.

    Args:
        values: float32.
        tensor: How they are quantized.
        where: The tensor's name, for errors.

    Returns:
        float32, of the same shape; bit for bit what `paredown.algorithms.quantizing.fake_quantize` gives.

    Raises:
        ValueError: There is not one scale and zero point for each row of the values.
        DataError: The range is taken at run time, and a value is not finite.
    """
    if not tensor.scale:
        tensor = _runtime(values, where)
    return grid_of(tensor, values).nearest(values)


def grid_of(tensor: QuantizedTensor, values: torch.Tensor) -> Grid:
    """A quantized tensor on the device of the values, shaped to broadcast over them.

    Raises:
        ValueError: There is not one scale and zero point for each row of the values.
    """
    wanted = row_count(tuple(values.shape), tensor.axis, tensor.group_size)
    if len(tensor.scale) != wanted or len(tensor.zero_point) != wanted:
        raise ValueError(f"{len(tensor.scale)} scales and {len(tensor.zero_point)} zero points for {wanted}")
    scale, zero_point = (
        per_element(torch.from_numpy(np.asarray(numbers, dtype=np.float32)).to(values.device), tensor, values.shape)
        for numbers in (tensor.scale, tensor.zero_point)
    )
    return Grid(scale, zero_point, tensor.qmin, tensor.qmax, tensor.bits == 1)


def per_element(numbers: torch.Tensor, tensor: QuantizedTensor, shape: torch.Size) -> torch.Tensor:
    """One number for each row, shaped to broadcast over the shape: `grouping.per_element`, with gradients."""
    if tensor.axis is None:
        return numbers.reshape([1] * len(shape))
    if tensor.group_size is None:
        return numbers.reshape([-1 if dimension == tensor.axis else 1 for dimension in range(len(shape))])
    length = shape[1:].numel()
    repeated = numbers.reshape(shape[0], -1).repeat_interleave(min(tensor.group_size, length), dim=1)
    return repeated[:, :length].reshape(shape)


def value_range(values: torch.Tensor) -> tuple[float, float]:
    """The smallest and the greatest value; both are NaN where one value is."""
    low, high = torch.aminmax(values.detach())
    return float(low), float(high)


def _runtime(values: torch.Tensor, where: str) -> QuantizedTensor:
    low, high = value_range(values)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError(
            "the range to quantize is not finite",
            where=where,
            value=f"[{low}, {high}]",
            expected="finite numbers",
            remedy="look for overflow in the network, or for NaN in the images",
        )
    return runtime_qparams(low, high)
