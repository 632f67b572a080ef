"""Where a detector's features are worth imitating: around what its teacher detects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paredown.algorithms.detection.decoding import Detections, decode
from paredown.algorithms.outputs import as_tuple
from paredown.contracts import Array, FloatArray, Outputs

OVERLAP, MOST = 0.6, 100
"""Of the teacher's detections: what overlaps more with a surer one is dropped, and how many of an image are kept."""


def guides(outputs: Outputs, image_size: Sequence[int], least_score: float) -> list[Detections]:
    """What a teacher detects in each image, for `position_weights`.

    Args:
        outputs: Those of a detector, with or without masks: its first three are read.
        image_size: Height and width of the images in pixels.
        least_score: Detections with less do not count.

    Raises:
        ModelError: The outputs are not those of a detector for images of this size.
    """
    return decode(as_tuple(outputs)[:3], image_size, least_score=least_score, overlap=OVERLAP, most=MOST)


def position_weights(
    found: Sequence[Detections], image_size: Sequence[int], size: Sequence[int], background: float
) -> FloatArray:
    """The weight of each position of a map: `background`, and up to 1 where a detection touches its cell.

    With q the greatest score of the detections that touch the cell, 0 where none does: background + (1 - background) q.
    A map of any stride sees every detection so, however small (after Wang et al., 2019, section 3.2, whose positions
    near an object stand around boxes that are labelled).

    Args:
        found: The detections of each image.
        image_size: Height and width of the images in pixels.
        size: Height and width of the map.
        background: In [0, 1].

    Returns:
        [batch, height, width], float64.
    """
    scores = np.stack([_scores(one, image_size, size) for one in found])
    return np.asarray(background + (1 - background) * scores)


def _scores(found: Detections, image_size: Sequence[int], size: Sequence[int]) -> FloatArray:
    """The greatest score of the detections that touch each cell, [height, width]."""
    rows, columns = (
        _touched(found.boxes[:, [edge, edge + 2]], length, cells)
        for edge, length, cells in zip((1, 0), image_size, size, strict=True)
    )
    touched = rows[:, :, None] & columns[:, None]
    return np.asarray(np.max(touched * found.scores[:, None, None], axis=0, initial=0.0))


def _touched(edges: FloatArray, length: int, cells: int) -> Array:
    """Which cells along one axis lie between two edges, in part at least: [count, cells]."""
    width = _cell_width(length, cells)
    starts = np.arange(cells) * width
    return np.asarray((edges[:, :1] < starts + width) & (edges[:, 1:] > starts))


def _cell_width(length: int, cells: int) -> float:
    """In pixels: the power of two that gives so many cells, the last of them maybe beyond the image; else equal."""
    strides = (1 << power for power in range(length.bit_length() + 1))
    return next((stride for stride in strides if -(-length // stride) == cells), length / cells)
