"""What the masks of a detector's positions are to be (Bolya et al., 2019, "YOLACT", section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.detection.targets import Targets
from paredown.contracts import Array, FloatArray, IntArray

PROTOTYPE_STRIDE = 2
"""Pixels between the cells of our networks' prototypes."""
MOST_MASKS = 32
"""Of how many positions of an image at most the masks are learned."""
COVERED = 0.5
"""A cell belongs to an object from this share of its pixels on."""


@dataclass(frozen=True, slots=True)
class MaskTargets:
    """The masks that a batch is to give, at some positions of each image; cells are those of the prototypes, in rows.

    Attributes:
        chosen: [batch, positions, masks], float64: 1 at the position that a mask is of, else 0; an image with fewer
            masks than others has columns of zeros.
        masks: [batch, masks, cells], float64: 1 where a cell belongs to the object, else 0.
        weights: [batch, masks, cells], float64: what a cell counts for. Within the object's box 1 / (cells in the box *
            masks of the batch), else 0.
    """

    chosen: FloatArray
    masks: FloatArray
    weights: FloatArray


def prototype_size(image_size: Sequence[int]) -> tuple[int, int]:
    """Height and width of the prototypes for images of this height and width: twice those of the finer level."""
    height, width = (2 * -(-length // (2 * PROTOTYPE_STRIDE)) for length in image_size)
    return height, width


def assign_masks(labels: Array, targets: Targets) -> MaskTargets:
    """Chooses positions with an object, each object's in turn, and gives them its mask.

    Of an image at most `MOST_MASKS` are chosen: of every object the position with the greatest centerness, then of
    every object the next, and so on; among equals the first position.

    Args:
        labels: Records of `paredown.algorithms.objects` with `masks`, [batch].
        targets: What these labels were assigned to.
    """
    places = [_places(objects, sure) for objects, sure in zip(targets.objects, targets.centerness, strict=True)]
    most, (height, width) = max([1, *map(len, places)]), prototype_size(labels["masks"].shape[2:])
    chosen = np.zeros((*targets.classes.shape, most))
    masks, weights = np.zeros((2, len(labels), most, height * width))
    total = max(1, sum(map(len, places)))
    for image, own in enumerate(places):
        # Many positions share an object, whose cells are counted once.
        objects, mine = np.unique(targets.objects[image, own], return_inverse=True)
        inside = _in_box(labels["boxes"][image, objects], (height, width))
        each = inside / (np.maximum(inside.sum(axis=1, keepdims=True), 1) * total)
        chosen[image, own, np.arange(len(own))] = 1
        masks[image, : len(own)] = _in_cells(labels["masks"][image, objects], (height, width))[mine]
        weights[image, : len(own)] = each[mine]
    return MaskTargets(chosen, masks, weights)


def _places(objects: IntArray, centerness: FloatArray) -> IntArray:
    """The chosen positions of one image."""
    found = np.flatnonzero(objects >= 0)
    found = found[np.lexsort((found, -centerness[found]))]
    rank = np.zeros(len(found), np.int64)
    for one in np.unique(objects[found]):
        own = objects[found] == one
        rank[own] = np.arange(own.sum())
    return np.asarray(found[np.argsort(rank, kind="stable")][:MOST_MASKS])


def _in_cells(masks: Array, size: tuple[int, int]) -> FloatArray:
    """Masks of pixels [masks, height, width] as masks of cells [masks, cells]; behind the image's edge nothing is."""
    count, height, width = masks.shape
    edges = [PROTOTYPE_STRIDE * length - own for length, own in zip(size, (height, width), strict=True)]
    padded = np.pad(masks != 0, ((0, 0), (0, edges[0]), (0, edges[1])))
    cells = padded.reshape(count, size[0], PROTOTYPE_STRIDE, size[1], PROTOTYPE_STRIDE)
    return np.asarray(cells.mean(axis=(2, 4)) >= COVERED, np.float64).reshape(count, size[0] * size[1])


def _in_box(boxes: FloatArray, size: tuple[int, int]) -> FloatArray:
    """1 for the cells [boxes, cells] whose middle is in a box, else 0."""
    y, x = (PROTOTYPE_STRIDE * (np.arange(length) + 0.5) for length in size)
    left, top, right, bottom = (boxes[:, edge, None] for edge in range(4))
    rows, columns = (y >= top) & (y < bottom), (x >= left) & (x < right)
    return np.asarray(rows[:, :, None] & columns[:, None], np.float64).reshape(len(boxes), size[0] * size[1])
