"""Vectors of length 1, whose gradient is finite where the vector is zero."""

from __future__ import annotations

import numpy as np

from paredown.contracts import FloatArray

EPSILON = 1e-8
"""Joins a squared length under the root, so that no gradient is greater than one over its root, 1e4."""


def unit(values: FloatArray, axis: int = -1) -> FloatArray:
    """V / sqrt(sum(v^2) + EPSILON) along an axis: of length 1, or nearly 0 where v is."""
    return np.asarray(values / np.sqrt(np.sum(values**2, axis=axis, keepdims=True) + EPSILON))
