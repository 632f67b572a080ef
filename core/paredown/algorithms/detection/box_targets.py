"""What each default box is to learn from the boxes of an image (Liu et al., 2016, section 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.detection.default_boxes import default_boxes
from paredown.algorithms.detection.offsets import offsets_of
from paredown.algorithms.detection.overlaps import area, intersection, intersection_over_union
from paredown.algorithms.detection.targets import BACKGROUND, IGNORED, has_area
from paredown.algorithms.objects import PADDING
from paredown.contracts import Array, FloatArray, IntArray

MATCH = 0.5
"""A default box learns an object from this intersection over union on."""
CROWDED = 0.5
"""From this share of its area inside a crowd on, nothing is learned of a default box."""
NEGATIVES = 3
"""How many default boxes without an object are learned for each with one, in the same image."""


@dataclass(frozen=True, slots=True)
class BoxTargets:
    """What a batch is to give.

    Attributes:
        classes: [batch, boxes], int64; `BACKGROUND` or `IGNORED` where no object is.
        offsets: [batch, 4, boxes], float64: of the object from the default box; 0 where no object is.
    """

    classes: IntArray
    offsets: FloatArray


def assign_boxes(labels: Array, image_size: Sequence[int]) -> BoxTargets:
    """Gives each default box the object that it overlaps most, by half at least, and each object a box at any rate.

    Objects take the box that they overlap most, the closest pair first and no box twice. Of equals the first object has
    the first box.

    Args:
        labels: Records of `paredown.algorithms.objects`, [batch].
        image_size: Height and width in pixels.
    """
    defaults = default_boxes(image_size)
    classes = np.full((len(labels), len(defaults)), BACKGROUND, np.int64)
    offsets = np.zeros((len(labels), len(defaults), 4))
    for label, own, apart in zip(labels, classes, offsets, strict=True):
        boxes = label["boxes"].astype(np.float64)
        real = (label["classes"] != PADDING) & has_area(boxes)
        objects, crowds = real & ~label["crowd"], real & label["crowd"]
        inside = intersection(boxes[crowds], defaults) / area(defaults)
        own[inside.max(axis=0, initial=0) >= CROWDED] = IGNORED
        matched = _matched(intersection_over_union(boxes[objects], defaults))
        found = matched >= 0
        own[found] = label["classes"][objects][matched[found]]
        apart[found] = offsets_of(boxes[objects][matched[found]], defaults[found])
    return BoxTargets(classes, offsets.transpose(0, 2, 1))


def hard_negatives(entropy: FloatArray, classes: IntArray) -> Array:
    """The default boxes without an object that a step learns, of each image those it takes most for one (section 2.2).

    Args:
        entropy: The cross entropy of each default box, [batch, boxes]; the greatest are the hardest, of equals the
            first.
        classes: As of `BoxTargets`.

    Returns:
        [batch, boxes], bool.
    """
    free = classes == BACKGROUND
    order = np.argsort(np.where(free, -entropy, np.inf), axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    return np.asarray(free & (rank < NEGATIVES * (classes >= 0).sum(axis=1, keepdims=True)))


def _matched(overlap: FloatArray) -> IntArray:
    """The object of each default box, [boxes], from overlaps [objects, boxes]; -1 where none is."""
    if not len(overlap):
        return np.full(overlap.shape[1], -1)
    matched = np.where(overlap.max(axis=0) >= MATCH, overlap.argmax(axis=0), -1)
    left = overlap.copy()
    for _ in overlap:
        one, place = np.unravel_index(left.argmax(), left.shape)
        if left[one, place] > 0:
            matched[place] = one
            left[one], left[:, place] = 0, 0
    return matched
