"""Searching the range with the least cost between zero and the extremes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from paredown.contracts import FloatArray

Cost = Callable[[float, float], float]
"""What a range (minimum, maximum) costs."""

COARSE = 2.0 ** -(np.arange(29) / 4)
"""Shares of a bound that are tried out first: from all of it down to 1/128."""
FINE = 2.0 ** (np.arange(-8, 9) / 32)
"""Factors that are tried out then: from one coarse step below to one above."""
ROUNDS: tuple[FloatArray, ...] = (COARSE, COARSE, FINE)


def cheapest_range(low: float, high: float, cost: Cost, *, symmetric: bool) -> tuple[float, float]:
    """The range within [low, high] that costs least, the wider one where two cost the same.

    Each bound is moved in turn while the other stays; with `symmetric` both are cut at one magnitude.

    Args:
        low: The smallest value, at most 0.
        high: The greatest value, at least 0.
        cost: What a range costs; it is called a few hundred times.
        symmetric: Whether quantization is symmetric around zero.
    """
    if symmetric:
        limit = magnitude = max(-low, high)
        for factors in ROUNDS[1:]:
            magnitude = _cheapest(magnitude, limit, factors, lambda bound: cost(-bound, bound))
        return max(low, -magnitude), min(high, magnitude)
    lower, upper = low, high
    for factors in ROUNDS if low < 0 < high else ROUNDS[1:]:
        upper = _cheapest(upper, high, factors, lambda bound, other=lower: cost(other, bound))  # type: ignore[misc]
        lower = 0.0 - _cheapest(-lower, -low, factors, lambda bound, other=upper: cost(-bound, other))  # type: ignore[misc]
    return lower, upper


def _cheapest(bound: float, limit: float, factors: FloatArray, cost: Callable[[float], float]) -> float:
    if limit == 0:
        return 0.0
    start = limit if factors is COARSE else bound
    tried = sorted({min(float(start * factor), limit) for factor in factors} | {bound}, reverse=True)
    return min(tried, key=cost)
