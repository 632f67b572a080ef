"""What each position of a detector is to learn from the boxes of an image (Tian et al., 2019, sections 3.1 to 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.detection.positions import Positions, positions
from paredown.algorithms.objects import PADDING
from paredown.contracts import Array, FloatArray, IntArray

BACKGROUND, IGNORED = -1, -2
"""In place of a class: a position of no object, and one inside a crowd, of which nothing is learned."""
CENTRE_RADIUS = 1.5
"""A position belongs to an object within so many strides of its box's centre."""
REACH = 8
"""A level is for objects whose farthest edge is at most so many strides away; the last one for all greater too."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What a batch is to give.

    Attributes:
        classes: [batch, positions], int64; `BACKGROUND` or `IGNORED` where no object is.
        distances: [batch, 4, positions], float64: left, top, right and bottom, in pixels; 0 where no object is.
        centerness: [batch, positions], float64: sqrt(min(l, r) / max(l, r) * min(t, b) / max(t, b)), in [0, 1].
        objects: [batch, positions], int64: the place of the object among the image's labels; -1 where none is.
    """

    classes: IntArray
    distances: FloatArray
    centerness: FloatArray
    objects: IntArray


def assign(labels: Array, image_size: Sequence[int]) -> Targets:
    """Gives each position the object that it lies in; of several the one with the smallest box, of equals the first.

    A position lies in an object where it is inside the box, near its centre, and on the level for the box's size.

    Args:
        labels: Records of `paredown.algorithms.objects`, [batch].
        image_size: Height and width in pixels.
    """
    where = positions(image_size)
    boxes = labels["boxes"].astype(np.float64)
    distances = _distances(where, boxes)
    inside = distances.min(axis=2) > 0
    real = (labels["classes"] != PADDING) & has_area(boxes)
    wanted = real & ~labels["crowd"]
    candidates = inside & wanted[:, :, None] & _near_centre(where, boxes) & _on_level(where, distances)
    areas = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    chosen = np.where(candidates, areas[:, :, None], np.inf).argmin(axis=1)
    found = candidates.any(axis=1)
    batch = np.arange(len(labels))[:, None]
    classes = np.where(found, labels["classes"][batch, chosen], BACKGROUND)
    crowded = (inside & (real & labels["crowd"])[:, :, None]).any(axis=1)
    classes[~found & crowded] = IGNORED
    own = distances[batch, chosen, :, np.arange(chosen.shape[1])] * found[..., None]
    return Targets(classes, own.transpose(0, 2, 1), _centerness(own) * found, np.where(found, chosen, -1))


def _distances(where: Positions, boxes: FloatArray) -> FloatArray:
    """From every position to the left, top, right and bottom edge of every box, [batch, objects, 4, positions]."""
    x, y = where.centres.T
    left, top, right, bottom = (boxes[..., edge, None] for edge in range(4))
    return np.stack([x - left, y - top, right - x, bottom - y], axis=2)


def has_area(boxes: FloatArray) -> Array:
    """Whether boxes [..., 4] are wider and higher than nothing, [...]."""
    return np.asarray((boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1]))


def _near_centre(where: Positions, boxes: FloatArray) -> Array:
    """Whether a position is near the centre of a box, [batch, objects, positions]."""
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    apart = np.abs(where.centres - centres[:, :, None]).max(axis=3)
    return np.asarray(apart < CENTRE_RADIUS * where.strides)


def _on_level(where: Positions, distances: FloatArray) -> Array:
    """Whether a box is of a size for the level of a position, [batch, objects, positions]."""
    farthest, strides = distances.max(axis=2), np.unique(where.strides)
    least = dict(zip(strides, (0.0, *(REACH * stride for stride in strides[:-1])), strict=True))
    most = dict(zip(strides, (*(REACH * stride for stride in strides[:-1]), np.inf), strict=True))
    above = farthest > np.array([least[stride] for stride in where.strides])
    return np.asarray(above & (farthest <= np.array([most[stride] for stride in where.strides])))


def _centerness(distances: FloatArray) -> FloatArray:
    """Of distances [..., 4]; 0 where they are."""
    pairs = np.stack([distances[..., 0::2], distances[..., 1::2]], axis=-1)
    shares = pairs.min(axis=-2) / np.maximum(pairs.max(axis=-2), np.finfo(np.float64).tiny)
    return np.asarray(np.sqrt(shares.prod(axis=-1)))
