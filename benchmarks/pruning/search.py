"""Finding the ratio at which a peer keeps the wanted share of multiply-accumulates."""

from __future__ import annotations

from collections.abc import Callable

_STEPS = 12


def nearest_ratio(kept: Callable[[float], float], target: float) -> float:
    """The ratio whose result comes nearest to the target.

    Args:
        kept: The share that stays at a ratio; falls in steps as the ratio grows.
        target: The wanted share.
    """
    low, high = 0.0, 1.0
    seen: dict[float, float] = {}
    for _ in range(_STEPS):
        ratio = (low + high) / 2
        seen[ratio] = kept(ratio)
        low, high = (ratio, high) if seen[ratio] > target else (low, ratio)
    return min(seen, key=lambda ratio: (abs(seen[ratio] - target), ratio))
