"""Scales and zero points from ranges, and quantization itself, in float32 (Jacob et al., 2018, section 2.1).

q = clip(round(x / scale) + zero_point, qmin, qmax), x' = (q - zero_point) * scale; rounding takes half to even, as
ONNX's QuantizeLinear does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paredown.errors import DataError, UnsupportedError
from paredown.plan import QuantizedTensor

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, IntArray

SATURATING_TARGETS = ("portable", "avx2")
"""CPUs without VNNI add two products of u8 and s8 in 16 bits; 255 * 64 * 2 = 32640 still fits into 32767."""
FULL_TARGETS = ("vnni", "arm")


def weight_range(bits: int, target: str) -> tuple[int, int]:
    """The signed integers that weights may take, symmetric around zero.

    Args:
        bits: The width of the integers in the file.
        target: What the file is for. `portable` and `avx2` get one bit less than the file holds.

    Returns:
        (qmin, qmax): for 8 bits (-64, 64) or (-127, 127).

    Raises:
        UnsupportedError: The target is unknown, or integers of this width cannot be written.
    """
    if bits != 8:
        raise UnsupportedError("weights of this width cannot be deployed", value=bits, expected="8 bits")
    if target in SATURATING_TARGETS:
        return -64, 64
    if target in FULL_TARGETS:
        return -127, 127
    known = ", ".join((*SATURATING_TARGETS, *FULL_TARGETS))
    raise UnsupportedError("unknown deployment target", where="deploy.target", value=target, expected=known)


def affine_qparams(minimum: float, maximum: float, *, bits: int = 8, where: str = "activation") -> QuantizedTensor:
    """Unsigned integers for a tensor whose values lie in [minimum, maximum].

    The range is widened to hold zero, which is then represented exactly (Jacob et al., 2018, section 3):
    scale = (maximum - minimum) / (2**bits - 1), rounded to float32; zero_point = round(-minimum / scale).
    A range that is zero gets scale 1, and so does one too small for a normal float32 scale.

    Args:
        minimum: The smallest value to represent.
        maximum: The greatest value to represent.
        bits: The width of the integers.
        where: The tensor's name, for errors.

    Returns:
        One scale and one zero point for the whole tensor.

    Raises:
        DataError: A bound is not finite, or the bounds are in the wrong order.
    """
    if not (np.isfinite(minimum) and np.isfinite(maximum)):
        raise DataError(
            "the range to quantize is not finite",
            where=where,
            value=f"[{minimum}, {maximum}]",
            expected="finite numbers",
            remedy="look for overflow in the network, or for NaN in the calibration images",
        )
    if minimum > maximum:
        raise DataError("the range to quantize is empty", where=where, value=f"[{minimum}, {maximum}]")
    qmax = 2**bits - 1
    low, high = min(float(minimum), 0.0), max(float(maximum), 0.0)
    scale = _usable_scale(np.asarray([(high - low) / qmax]), where)
    zero_point = int(np.clip(np.rint(-low / scale[0].astype(np.float64)), 0, qmax))
    return QuantizedTensor(bits=bits, qmin=0, qmax=qmax, scale=(float(scale[0]),), zero_point=(zero_point,))


def symmetric_qparams(
    absmax: FloatArray, qmin: int, qmax: int, *, bits: int = 8, axis: int | None = 0, where: str = "weight"
) -> QuantizedTensor:
    """Signed integers around zero for weights: scale = absmax / qmax, rounded to float32; the zero point is 0.

    A channel that is all zero (or too small for a normal float32 scale) gets scale 1; it is quantized to zeros.

    Args:
        absmax: The greatest absolute value, one per channel, or one number in all.
        qmin: The smallest integer.
        qmax: The greatest integer.
        bits: The width of the integers in the file.
        axis: The axis of the channels; None for one scale for the whole tensor.
        where: The tensor's name, for errors.

    Returns:
        One scale and zero point per channel.

    Raises:
        DataError: A bound is not finite.
    """
    bounds = np.asarray(absmax, dtype=np.float64).reshape(-1)
    if not np.all(np.isfinite(bounds)):
        raise DataError("a weight to quantize is not finite", where=where, expected="finite numbers")
    scale = _usable_scale(bounds / qmax, where)
    return QuantizedTensor(
        bits=bits, qmin=qmin, qmax=qmax, scale=tuple(scale.tolist()), zero_point=(0,) * len(scale), axis=axis
    )


def quantize(values: FloatArray, tensor: QuantizedTensor) -> IntArray:
    """Float values as integers: unsigned where `qmin` is zero, else signed, in the smallest width that holds them."""
    scale, zero_point = _parameters(values.ndim, tensor)
    # In this order and in float32: QuantizeLinear divides, rounds half to even, then adds the zero point.
    steps = np.rint(np.asarray(values, dtype=np.float32) / scale) + zero_point.astype(np.float32)
    dtype = np.uint8 if tensor.qmin >= 0 else np.int8
    integers: IntArray = np.clip(steps, tensor.qmin, tensor.qmax).astype(dtype)
    return integers


def dequantize(integers: IntArray, tensor: QuantizedTensor) -> FloatArray:
    """Integers as the float32 values that they stand for."""
    scale, zero_point = _parameters(integers.ndim, tensor)
    values: FloatArray = (integers.astype(np.int32) - zero_point).astype(np.float32) * scale
    return values


def fake_quantize(values: FloatArray, tensor: QuantizedTensor) -> FloatArray:
    """Float32 values after quantizing and dequantizing: what the deployed file computes with."""
    return dequantize(quantize(values, tensor), tensor)


def _usable_scale(scale: FloatArray, where: str) -> FloatArray:
    """The scale in float32, with 1 for what is no normal float32 number."""
    with np.errstate(over="ignore"):
        rounded = scale.astype(np.float32)
    if not np.all(np.isfinite(rounded)):
        raise DataError("the range to quantize overflows float32", where=where, value=float(scale.max()))
    return np.where(rounded < np.finfo(np.float32).tiny, np.float32(1.0), rounded)


def _parameters(rank: int, tensor: QuantizedTensor) -> tuple[FloatArray, IntArray]:
    """Scale (float32) and zero point (int32), shaped to broadcast along the channels' axis."""
    shape = [1] * rank
    if tensor.axis is not None:
        shape[tensor.axis] = len(tensor.scale)
    scale = np.asarray(tensor.scale, dtype=np.float32).reshape(shape)
    return scale, np.asarray(tensor.zero_point, dtype=np.int32).reshape(shape)
