"""Quantization itself, in float32: the reference for both frameworks and for what runtimes compute.

q = clip(round(x / scale) + zero_point, qmin, qmax), x' = (q - zero_point) * scale; rounding takes half to even, as
ONNX's QuantizeLinear does. Binary: q = 1 where x >= 0, else -1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paredown.algorithms.grouping import per_element
from paredown.algorithms.qparams import runtime_qparams
from paredown.plan import QuantizedTensor

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, IntArray


def quantize(values: FloatArray, tensor: QuantizedTensor) -> IntArray:
    """Float values as integers: unsigned where `qmin` is zero, else signed, in the smallest of 8 and 16 bits."""
    values = np.asarray(values, dtype=np.float32)
    dtype = np.dtype(f"{'u' if tensor.qmin >= 0 else ''}int{16 if tensor.bits > 8 else 8}")
    if tensor.bits == 1:
        return np.where(values >= 0, 1, -1).astype(dtype)
    scale, zero_point = _parameters(values.shape, tensor)
    # In this order and in float32: QuantizeLinear divides, rounds half to even, then adds the zero point.
    steps = np.rint(values / scale) + zero_point.astype(np.float32)
    integers: IntArray = np.clip(steps, tensor.qmin, tensor.qmax).astype(dtype)
    return integers


def dequantize(integers: IntArray, tensor: QuantizedTensor) -> FloatArray:
    """Integers as the float32 values that they stand for."""
    scale, zero_point = _parameters(integers.shape, tensor)
    values: FloatArray = (integers.astype(np.int32) - zero_point).astype(np.float32) * scale
    return values


def fake_quantize(values: FloatArray, tensor: QuantizedTensor) -> FloatArray:
    """Float32 values after quantizing and dequantizing: what the deployed file computes with.

    Where the tensor's range is taken at run time, that is the range of `values`.
    """
    if not tensor.scale:
        tensor = runtime_qparams(float(values.min()), float(values.max()))
    return dequantize(quantize(values, tensor), tensor)


def _parameters(shape: tuple[int, ...], tensor: QuantizedTensor) -> tuple[FloatArray, IntArray]:
    """Scale (float32) and zero point (int32), shaped to broadcast over the values."""
    scale = np.asarray(tensor.scale, dtype=np.float32)
    zero_point = np.asarray(tensor.zero_point, dtype=np.int32)
    return (
        per_element(scale, shape, tensor.axis, tensor.group_size),
        per_element(zero_point, shape, tensor.axis, tensor.group_size),
    )
