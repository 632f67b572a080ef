"""Maps of different sizes made alike, and the mean over the pairs of taps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from paredown.algorithms.losses.shapes import require_taps, smaller_size
from paredown_paddle.framework import paddle


def mean_over_taps(
    loss: str, compare: Callable[[Any, Any], Any], student: Sequence[Any], teacher: Sequence[Any]
) -> Any:
    """The mean of `compare(student's map, teacher's map)` over the pairs.

    Raises:
        ModelError: There are no pairs, or not as many maps of the one as of the other.
    """
    require_taps(loss, len(student), len(teacher))
    return paddle.stack([compare(one, other) for one, other in zip(student, teacher, strict=True)]).mean()


def to_smaller(first: Any, second: Any) -> tuple[Any, Any]:
    """Both maps at the smaller height and the smaller width of the two; [batch, features] as they are.

    Raises:
        ModelError: One is [batch, channels, height, width] and the other is not.
    """
    size = smaller_size(first.shape, second.shape)
    return _average_pool(first, size), _average_pool(second, size)


def _average_pool(values: Any, size: tuple[int, ...]) -> Any:
    return values if tuple(values.shape[2:]) == size else paddle.nn.functional.adaptive_avg_pool2d(values, size)
