"""The default boxes of SSD's head (Liu et al., 2016, "SSD: Single Shot MultiBox Detector", section 2.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from paredown.contracts import FloatArray
from paredown.errors import ModelError

BOX_STRIDES = (16, 32, 64, 128, 256, 512)
"""Pixels between the cells of each level, finest first: those of torchvision's SSDLite."""
SCALES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)
"""The side of each level's square box as a share of the image's, and that of the level that would come next."""
RATIOS = (2.0, 3.0)
"""Width by height of the other boxes of a cell, each in both orientations."""
BOXES_OF_A_CELL = 2 + 2 * len(RATIOS)


def has_default_boxes(outputs: object) -> bool:
    """Whether a detector's outputs are those of default boxes: two, where positions give three."""
    return isinstance(outputs, tuple) and len(outputs) == 2


def default_boxes(image_size: Sequence[int]) -> FloatArray:
    """The default boxes of an image, [boxes, 4], float64: x1, y1, x2, y2 in pixels, maybe beyond the image.

    Level by level, the cells row by row. The boxes of a cell share its middle: with s and t the scales of the level and
    of the next one, a square of s, one of sqrt(s t), then for each ratio r the box of s sqrt(r) by s / sqrt(r) and the
    upright one. Sides are shares of the image's and end with it.

    Args:
        image_size: Height and width in pixels.
    """
    levels = [
        _level([-(-length // stride) for length in image_size], scale, larger)
        for stride, scale, larger in zip(BOX_STRIDES, SCALES, SCALES[1:], strict=False)
    ]
    return np.asarray(np.concatenate(levels) * np.tile(image_size[::-1], 2))


def default_boxes_for(shapes: Sequence[Sequence[int]], image_size: Sequence[int]) -> FloatArray:
    """The default boxes that outputs of these shapes are for, as `default_boxes`.

    Args:
        shapes: Of logits [batch, 1 + classes, boxes], the background first, and of offsets [batch, 4, boxes].
        image_size: Height and width in pixels.

    Raises:
        ModelError: The shapes are others.
    """
    boxes = default_boxes(image_size)
    given, count = [tuple(shape) for shape in shapes], len(boxes)
    batch, columns = given[0][:2] if given and len(given[0]) > 1 else (0, 0)
    if given == [(batch, columns, count), (batch, 4, count)] and columns > 1:
        return boxes
    raise ModelError(
        "the network's outputs are not those of a detector with default boxes",
        where="model",
        value=", ".join(map(str, given)),
        expected=f"[batch, 1 + classes, {count}] and [batch, 4, {count}]",
        remedy="choose a detector, or give it the default boxes of docs/detection.md",
    )


def _level(cells: Sequence[int], scale: float, larger: float) -> FloatArray:
    """The boxes of one level with so many rows and columns, as shares of the image."""
    rows, columns = ((np.arange(count) + 0.5) / count for count in cells)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    middles = np.stack([x.ravel(), y.ravel()], axis=1)[:, None]
    halves = np.minimum(_sides(scale, larger), 1) / 2
    return np.asarray(np.concatenate([middles - halves, middles + halves], axis=2).reshape(-1, 4))


def _sides(scale: float, larger: float) -> FloatArray:
    """Width and height of the boxes of a cell, [boxes, 2]."""
    stretched = [(scale * math.sqrt(ratio), scale / math.sqrt(ratio)) for ratio in RATIOS]
    others = [sides for pair in stretched for sides in (pair, pair[::-1])]
    return np.array([(scale, scale), (math.sqrt(scale * larger),) * 2, *others])
