"""Maps of different sizes made alike, and the mean over the pairs of taps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from paredown.algorithms.losses.shapes import require_taps, smaller_size


def mean_over_taps(
    loss: str, compare: Callable[[Tensor, Tensor], Tensor], student: Sequence[Tensor], teacher: Sequence[Tensor]
) -> Tensor:
    """The mean of `compare(student's map, teacher's map)` over the pairs.

    Raises:
        ModelError: There are no pairs, or not as many maps of the one as of the other.
    """
    require_taps(loss, len(student), len(teacher))
    return torch.stack([compare(one, other) for one, other in zip(student, teacher, strict=True)]).mean()


def to_smaller(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Both maps at the smaller height and the smaller width of the two; [batch, features] as they are.

    Raises:
        ModelError: One is [batch, channels, height, width] and the other is not.
    """
    size = smaller_size(first.shape, second.shape)
    return _average_pool(first, size), _average_pool(second, size)


def _average_pool(values: Tensor, size: tuple[int, ...]) -> Tensor:
    if values.shape[2:] == size:
        return values
    height, width = size
    return functional.adaptive_avg_pool2d(values, (height, width))
