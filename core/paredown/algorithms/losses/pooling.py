"""Maps of different sizes made alike, and the mean over the pairs of taps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from paredown.algorithms.losses.shapes import require_taps, smaller_size
from paredown.contracts import FloatArray


def mean_over_taps(
    loss: str,
    compare: Callable[[FloatArray, FloatArray], float],
    student: Sequence[FloatArray],
    teacher: Sequence[FloatArray],
) -> float:
    """The mean of `compare(student's map, teacher's map)` over the pairs, in float64.

    Raises:
        ModelError: There are no pairs, or not as many maps of the one as of the other.
    """
    require_taps(loss, len(student), len(teacher))
    pairs = zip(student, teacher, strict=True)
    return float(np.mean([compare(np.asarray(one, np.float64), np.asarray(other, np.float64)) for one, other in pairs]))


def to_smaller(first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both maps at the smaller height and the smaller width of the two; [batch, features] as they are.

    Raises:
        ModelError: One is [batch, channels, height, width] and the other is not.
    """
    size = smaller_size(first.shape, second.shape)
    return average_pool(first, size), average_pool(second, size)


def average_pool(values: FloatArray, size: Sequence[int]) -> FloatArray:
    """Adaptive average pooling of the last axes to a size.

    Along an axis of n, the window of place i of m reaches from floor(i * n / m) to ceil((i + 1) * n / m), its end left
    out: neighbours overlap where m does not divide n.
    """
    pooled = values
    for axis, places in zip(range(-len(size), 0), size, strict=True):
        pooled = np.stack([_window(pooled, axis, place, places) for place in range(places)], axis=axis)
    return pooled


def _window(values: FloatArray, axis: int, place: int, places: int) -> FloatArray:
    length = values.shape[axis]
    window = np.arange(place * length // places, -(-(place + 1) * length // places))
    return np.asarray(np.mean(np.take(values, window, axis=axis), axis=axis))
