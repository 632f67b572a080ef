"""Boxes as offsets from default boxes and back (Girshick et al., 2014, appendix C), in units of SSD's variances."""

from __future__ import annotations

import math

import numpy as np

from paredown.contracts import FloatArray

UNITS = np.array([10.0, 10.0, 5.0, 5.0])
"""What offsets of the middle (by the default box's sides) and of the sides (logarithms) are multiplied by."""
MOST_GROWTH = math.log(1000 / 16)
"""The greatest logarithm of how much larger than its default box a box is taken to be."""


def offsets_of(boxes: FloatArray, defaults: FloatArray) -> FloatArray:
    """Of boxes from default boxes, both [..., 4] with x1, y1, x2, y2: across, down, of width and of height."""
    (middle, sides), (own, extent) = (_middle_and_sides(one) for one in (boxes, defaults))
    return np.asarray(np.concatenate([(middle - own) / extent, np.log(sides / extent)], axis=-1) * UNITS)


def boxes_of(offsets: FloatArray, defaults: FloatArray) -> FloatArray:
    """The boxes that lie so from default boxes, both [..., 4]: x1, y1, x2, y2."""
    own, extent = _middle_and_sides(defaults)
    shares = offsets / UNITS
    middle = own + shares[..., :2] * extent
    halves = np.exp(np.minimum(shares[..., 2:], MOST_GROWTH)) * extent / 2
    return np.concatenate([middle - halves, middle + halves], axis=-1)


def _middle_and_sides(boxes: FloatArray) -> tuple[FloatArray, FloatArray]:
    low, high = boxes[..., :2], boxes[..., 2:]
    return (low + high) / 2, high - low
