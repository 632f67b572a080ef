"""What a training that learns ranges decides: step sizes (LSQ, Esser et al., 2020), clipping levels (PACT)."""

from __future__ import annotations

import numpy as np

from paredown.contracts import FloatArray
from paredown.plan import QuantizedTensor

GREATEST_CHANGE = 0.1
"""A step of the optimizer changes a learned number by at most this share of itself, and so never its sign.

This is no part of the papers. It binds where a gradient is far out of proportion; without it a scale may be zero after
the first step, or so large that all weights are rounded to zero, and neither comes back.
"""

SMALLEST_FACTOR = float(np.finfo(np.float32).tiny)
"""Weights that BatchNorm multiplies with less stay as they are: folded they are zero, which no division brings back.

No learned scale is smaller either.
"""


def learns_level(tensor: QuantizedTensor) -> bool:
    """Whether PACT learns the upper end of a range: it begins at zero (Choi et al., 2018)."""
    return tensor.qmin == 0 and tensor.zero_point == (0,)


def gradient_scale(sharing: int, tensor: QuantizedTensor) -> float:
    """What LSQ multiplies a scale's gradient with, where so many numbers share it: 1 / sqrt(sharing * qmax)."""
    return float((sharing * tensor.qmax) ** -0.5)


def factor_size(factor: FloatArray, tensor: QuantizedTensor) -> FloatArray:
    """What learned scales of a folded weight are measured in: the size of BatchNorm's factor.

    Args:
        factor: [out], as `fold_factor` gives it.
        tensor: How the weight is quantized.

    Returns:
        float64 and positive: [scales], that of each scale's channel, or [1], the mean where all share one scale. It is
        1 for a channel without a factor.
    """
    size: FloatArray = np.abs(factor)
    if tensor.axis != 0:
        return np.full(1, max(float(size.mean()), SMALLEST_FACTOR))
    used: FloatArray = np.where(size < SMALLEST_FACTOR, 1.0, size)
    return np.repeat(used, len(tensor.scale) // len(size))
