"""Vectors of length 1, whose gradient is finite where the vector is zero."""

from __future__ import annotations

from torch import Tensor

from paredown.algorithms.losses.vectors import EPSILON


def unit(values: Tensor, axis: int = -1) -> Tensor:
    """V / sqrt(sum(v^2) + EPSILON) along an axis: of length 1, or nearly 0 where v is."""
    return values / (values.square().sum(axis, keepdim=True) + EPSILON).sqrt()
