"""Scales and zero points from ranges and from weights.

Symmetric: scale = absmax / qmax, zero point 0. Asymmetric (Jacob et al., 2018, section 2.1): scale = (max - min) /
(qmax - qmin), zero point = round(-min / scale). Computed in float64, then rounded to float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paredown.algorithms.grouping import in_rows
from paredown.errors import DataError, UnsupportedError
from paredown.plan import QuantizedTensor
from paredown.spec.models import QuantizeWeights

if TYPE_CHECKING:
    from paredown.contracts import FloatArray

SATURATING_TARGETS = ("portable", "avx2")
"""CPUs without VNNI add two products of u8 and s8 in 16 bits; 255 * 64 * 2 = 32640 still fits into 32767."""
FULL_TARGETS = ("vnni", "arm")

SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
"""The smallest normal float32 number: what runtimes and frameworks need not flush to zero."""


def weight_range(bits: int, target: str, *, symmetric: bool = True) -> tuple[int, int]:
    """The integers that weights may take: (qmin, qmax).

    Args:
        bits: The width of the integers in the file: 8, 4, 2 (ternary) or 1 (binary).
        target: What the file is for. `portable` and `avx2` get one bit less than 8-bit integers hold.
        symmetric: Signed around zero, or from zero upwards.

    Returns:
        For 8 bits (-64, 64) or (-127, 127), asymmetric (0, 127) or (0, 255); for 4 (-7, 7) or (0, 15); for 2 and 1
        (-1, 1).

    Raises:
        UnsupportedError: The target or the width is unknown, or a width has no asymmetric form.
    """
    if target not in (*SATURATING_TARGETS, *FULL_TARGETS):
        known = ", ".join((*SATURATING_TARGETS, *FULL_TARGETS))
        raise UnsupportedError(
            "unknown deployment target", where="deploy.target", value=target, expected=known, remedy="choose one"
        )
    if bits not in (8, 4, 2, 1) or (bits < 4 and not symmetric):
        raise UnsupportedError(
            "weights of this width cannot be deployed",
            value=f"{bits} bits, {'symmetric' if symmetric else 'asymmetric'}",
            expected="8 or 4 bits, or symmetric 2 (ternary) or 1 (binary)",
            remedy="choose another width",
        )
    if bits < 4:
        return -1, 1
    if bits == 8 and target in SATURATING_TARGETS:
        return (-64, 64) if symmetric else (0, 127)
    return (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) if symmetric else (0, 2**bits - 1)


def weight_qparams(
    weight: FloatArray,
    options: QuantizeWeights,
    target: str,
    *,
    least_absmax: FloatArray | None = None,
    where: str = "weight",
) -> QuantizedTensor:
    """How a weight is quantized.

    8 and 4 bits take the range of each row (an output channel, a group of it, or the whole tensor). Ternary takes the
    scale with the least squared error (Li and Liu, 2016, "Ternary Weight Networks", solved exactly where
    they take a threshold of 0.7 times the mean). Binary takes the mean absolute value
    (Rastegari et al., 2016, "XNOR-Net"). A row that is all zero gets scale 1, a binary one `SMALLEST_SCALE`: its
    integers are never zero.

    Args:
        weight: The layer's weight, float, [out, ...].
        options: Width, symmetry and granularity.
        target: What the file is for.
        least_absmax: [out], float64: an output channel's scale is at least this by qmax (biases must fit 32 bits).
            Not for groups, ternary and binary weights, which have float biases.
        where: The tensor's name, for errors.

    Raises:
        DataError: A weight is not finite.
        UnsupportedError: The width cannot be deployed.
    """
    qmin, qmax = weight_range(options.bits, target, symmetric=options.symmetric)
    group_size = options.group_size if options.granularity == "group" else None
    axis = None if options.granularity == "tensor" else 0
    rows = in_rows(weight.astype(np.float64), axis, group_size)
    if not np.all(np.isfinite(weight)):
        raise DataError(
            "a weight to quantize is not finite",
            where=where,
            expected="finite numbers",
            remedy="look for a training that diverged",
        )
    zero_point = np.zeros(len(rows), dtype=np.int64)
    if options.bits == 1:
        scale = np.nanmean(np.abs(rows), axis=1)
    elif options.bits == 2:
        scale = _ternary_scale(np.nan_to_num(rows))
    elif options.symmetric:
        absmax = np.nanmax(np.abs(rows), axis=1)
        if least_absmax is not None and group_size is None:
            absmax = np.maximum(absmax, least_absmax if axis == 0 else least_absmax.max())
        scale = absmax / qmax
    else:
        low, high = np.minimum(np.nanmin(rows, axis=1), 0.0), np.maximum(np.nanmax(rows, axis=1), 0.0)
        scale = (high - low) / (qmax - qmin)
        if least_absmax is not None and group_size is None:
            scale = np.maximum(scale, (least_absmax if axis == 0 else least_absmax.max()) / qmax)
        usable = _usable_scale(scale, where).astype(np.float64)
        zero_point = np.clip(np.rint(-low / usable), qmin, qmax).astype(np.int64)
    usable = _usable_scale(scale, where, otherwise=SMALLEST_SCALE if options.bits == 1 else 1.0)
    return QuantizedTensor(
        bits=options.bits,
        qmin=qmin,
        qmax=qmax,
        scale=tuple(usable.tolist()),
        zero_point=tuple(int(value) for value in zero_point),
        axis=axis,
        group_size=group_size,
    )


def activation_qparams(
    minimum: float, maximum: float, *, bits: int = 8, symmetric: bool = False, where: str = "activation"
) -> QuantizedTensor:
    """How a tensor is quantized whose values lie in [minimum, maximum]: one scale, one zero point.

    The range is widened to hold zero, which is then represented exactly (Jacob et al., 2018, section 3). Asymmetric
    integers are unsigned; symmetric ones signed, from -(2**(bits - 1) - 1) on. A range that is zero gets scale 1, and
    so does one too small for a normal float32 scale.

    Args:
        minimum: The smallest value to represent.
        maximum: The greatest value to represent.
        bits: The width of the integers: 16, 8 or 4.
        symmetric: Around zero, with zero point 0.
        where: The tensor's name, for errors.

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
        raise DataError(
            "the range to quantize is empty",
            where=where,
            value=f"[{minimum}, {maximum}]",
            expected="a minimum that is not above the maximum",
            remedy="look at the observer that gave it",
        )
    low, high = min(float(minimum), 0.0), max(float(maximum), 0.0)
    if symmetric:
        qmax = 2 ** (bits - 1) - 1
        scale = _usable_scale(np.asarray([max(-low, high) / qmax]), where)
        return QuantizedTensor(bits=bits, qmin=-qmax, qmax=qmax, scale=(float(scale[0]),), zero_point=(0,))
    qmax = 2**bits - 1
    scale = _usable_scale(np.asarray([(high - low) / qmax]), where)
    zero_point = int(np.clip(np.rint(-low / scale[0].astype(np.float64)), 0, qmax))
    return QuantizedTensor(bits=bits, qmin=0, qmax=qmax, scale=(float(scale[0]),), zero_point=(zero_point,))


def runtime_qparams(minimum: float, maximum: float) -> QuantizedTensor:
    """What ONNX's DynamicQuantizeLinear chooses for values in [minimum, maximum]: unsigned, 8 bits, all in float32.

    A tensor of zeros gets scale 1, where the operator's scale would be 0: either gives zeros.
    """
    low, high = np.minimum(np.float32(minimum), np.float32(0)), np.maximum(np.float32(maximum), np.float32(0))
    scale = np.float32((high - low) / np.float32(255))
    scale = scale if scale > 0 else np.float32(1)
    zero_point = int(np.clip(np.rint(-low / scale), 0, 255))
    return QuantizedTensor(bits=8, qmin=0, qmax=255, scale=(float(scale),), zero_point=(zero_point,))


AT_RUN_TIME = QuantizedTensor(bits=8, qmin=0, qmax=255, scale=(), zero_point=())
"""A tensor whose range is taken at run time."""


def _ternary_scale(rows: FloatArray) -> FloatArray:
    """For each row the scale s with the least squared error of s * clip(round(x / s), -1, 1).

    With the k greatest magnitudes kept, the best scale is their mean and saves sum**2 / k of the squared error; the
    best k is tried out.
    """
    sums = np.cumsum(-np.sort(-np.abs(rows), axis=1), axis=1)
    counts = np.arange(1, rows.shape[1] + 1)
    best = np.argmax(sums**2 / counts, axis=1)
    scale: FloatArray = sums[np.arange(len(rows)), best] / counts[best]
    return scale


def _usable_scale(scale: FloatArray, where: str, otherwise: float = 1.0) -> FloatArray:
    """The scale in float32, with another for what is no normal float32 number."""
    with np.errstate(over="ignore"):
        rounded = scale.astype(np.float32)
    if not np.all(np.isfinite(rounded)):
        raise DataError(
            "the range to quantize overflows float32",
            where=where,
            value=float(scale.max()),
            expected="a finite scale",
            remedy="look for overflow in the network",
        )
    return np.where(rounded < SMALLEST_SCALE, np.float32(otherwise), rounded)
