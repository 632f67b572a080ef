"""How far boxes lie over each other."""

from __future__ import annotations

import numpy as np

from paredown.contracts import FloatArray


def intersection_over_union(one: FloatArray, other: FloatArray) -> FloatArray:
    """Of every box of one array, [m, 4], with every box of the other, [n, 4]: [m, n]; 0 where neither has an area."""
    shared = intersection(one, other)
    union = area(one)[:, None] + area(other)[None] - shared
    return np.asarray(shared / np.maximum(union, np.finfo(np.float64).tiny))


def intersection(one: FloatArray, other: FloatArray) -> FloatArray:
    """The area that every box of one array, [m, 4], shares with every box of the other, [n, 4]: [m, n]."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=2))


def area(boxes: FloatArray) -> FloatArray:
    """Of boxes [..., 4]: [...]."""
    return np.asarray((boxes[..., 2:] - boxes[..., :2]).prod(axis=-1))
