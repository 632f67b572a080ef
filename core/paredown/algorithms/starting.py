"""Where scales begin of which nothing was known: that of zeros is a placeholder, no measure of what comes later."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paredown.algorithms.fold import fold_weight
from paredown.algorithms.grouping import in_rows
from paredown.algorithms.learned_scales import factor_size
from paredown.algorithms.qparams import SMALLEST_SCALE
from paredown.contracts import Array, FloatArray
from paredown.plan import QuantizedTensor

NOTHING = SMALLEST_SCALE * 2**16
"""Whatever the width, numbers no greater than this have no normal float32 scale, and are given a placeholder."""


def is_zero(minimum: float, maximum: float) -> bool:
    """Whether a range says nothing about the values to come."""
    return max(-minimum, maximum) <= NOTHING


def may_be_placeholder(tensor: QuantizedTensor) -> Array:
    """[scales]: where the scale is that of zeros, measured or for want of values."""
    found: Array = np.asarray(tensor.scale) == (SMALLEST_SCALE if tensor.bits == 1 else 1)
    return found


def started(
    tensor: QuantizedTensor,
    waiting: Array,
    weight: FloatArray,
    factor: FloatArray | None,
    qparams: Callable[[FloatArray], QuantizedTensor],
) -> tuple[QuantizedTensor, Array]:
    """Gives rows of a weight that wait for values the scales that these values want.

    A learned scale is one of the weight as it is, in units of BatchNorm's factor (`factor_size`). Where that factor is
    zero, the folded weights are zero and tell no scale, but the weights themselves do: once the factor grows, their
    scale grows with it.

    Args:
        tensor: The scales so far.
        waiting: [scales]: the rows without one.
        weight: [out, ...], float32, not folded.
        factor: [out], what BatchNorm multiplies it with; None without one.
        qparams: Measures a weight.

    Returns:
        The tensor with these rows' scales and zero points, and the rows that wait on.
    """
    sizes, signed, folded = np.ones(1), weight, weight
    if factor is not None:
        sizes, folded = factor_size(factor, tensor), fold_weight(weight, factor)
        signed = fold_weight(weight, np.where(factor < 0, -1.0, 1.0))
    direct, own = qparams(folded), qparams(signed)
    by_fold, by_weight = waiting & _has_values(folded, tensor), waiting & _has_values(signed, tensor)
    scale = np.where(by_fold, direct.scale, np.where(by_weight, np.asarray(own.scale) * sizes, tensor.scale))
    zero_point = np.where(by_fold, direct.zero_point, np.where(by_weight, own.zero_point, tensor.zero_point))
    begun = tensor.model_copy(update={"scale": tuple(scale.tolist()), "zero_point": tuple(zero_point.tolist())})
    return begun, waiting & ~by_fold & ~by_weight


def _has_values(weight: FloatArray, tensor: QuantizedTensor) -> Array:
    """[scales]: the rows with a weight that is not zero."""
    rows = in_rows(np.abs(weight.astype(np.float64)), tensor.axis, tensor.group_size)
    found: Array = np.nanmax(rows, axis=1) > NOTHING
    return found
