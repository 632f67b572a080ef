"""Vectors of length 1, whose gradient is finite where the vector is zero."""

from __future__ import annotations

from typing import Any

from paredown.algorithms.losses.vectors import EPSILON


def unit(values: Any, axis: int = -1) -> Any:
    """V / sqrt(sum(v^2) + EPSILON) along an axis: of length 1, or nearly 0 where v is."""
    return values / (values.square().sum(axis, keepdim=True) + EPSILON).sqrt()
