"""Where in the image each position of a detector's outputs lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paredown.contracts import FloatArray

STRIDES = (4, 8)
"""Pixels between positions, on each level of our detectors' pyramid, finest first."""


@dataclass(frozen=True, slots=True)
class Positions:
    """All positions, level by level, each level row by row.

    Attributes:
        centres: [positions, 2], float64: x and y in pixels.
        strides: [positions], float64, in pixels.
    """

    centres: FloatArray
    strides: FloatArray


def positions(image_size: Sequence[int], strides: Sequence[int] = STRIDES) -> Positions:
    """The positions of an image: (column + 1/2) * stride, (row + 1/2) * stride.

    Args:
        image_size: Height and width in pixels.
        strides: Of each level.
    """
    height, width = image_size
    levels = []
    for stride in strides:
        rows, columns = (stride * (np.arange(-(-length // stride)) + 0.5) for length in (height, width))
        y, x = np.meshgrid(rows, columns, indexing="ij")
        levels.append(np.stack([x.ravel(), y.ravel()], axis=1))
    return Positions(np.concatenate(levels), np.repeat(np.asarray(strides, np.float64), [len(one) for one in levels]))
