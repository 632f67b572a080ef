"""Random changes of training images, and of their labels with them: the same on every backend and after a restart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paredown.algorithms.objects import IGNORED, PADDING
from paredown.contracts import Array, FloatArray, IntArray
from paredown.spec.training import AugmentConfig

_STREAM = 1
"""Keeps these draws apart from those of the epoch's order, which have the same seed."""
_SMALLEST = 1.0
"""A box of which less than so many pixels' width or height is left is gone."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What happens to each image of a training split in one epoch.

    Attributes:
        mirrored: [count], bool.
        shifts: [count, 2]: by how many pixels the content moves down and right.
    """

    mirrored: Array
    shifts: IntArray

    def apply(self, images: FloatArray, labels: Array, index: IntArray) -> tuple[FloatArray, Array]:
        """A batch as the epoch shows it: mirrored first, then moved.

        Images are filled with 0, the training images' mean, class maps with 255. Boxes are cut at the image's edge, and
        one of which nothing is left becomes padding. Labels without places stay as they are.

        Args:
            images: [batch, channels, height, width]; not changed.
            labels: Those of the images.
            index: The places of the images in the training split, [batch].
        """
        mirrored, shifts = self.mirrored[index], self.shifts[index]
        moved = _moved(_mirrored(images, mirrored), shifts, 0)
        if labels.dtype.names:
            return moved, _objects(labels, mirrored, shifts, (images.shape[2], images.shape[3]))
        if labels.ndim == images.ndim - 1:
            return moved, _moved(_mirrored(labels, mirrored), shifts, IGNORED)
        return moved, labels


def draw_changes(config: AugmentConfig, count: int, seed: int, epoch: int) -> Changes:
    """Draws what happens to each of so many images, from the seed and the epoch alone."""
    random = np.random.default_rng([seed, epoch, _STREAM])
    mirrored = random.integers(0, 2, count, dtype=np.int8).astype(np.bool_)
    reach = 0 if config.crop is None else config.crop.padding
    shifts = random.integers(-reach, reach + 1, (count, 2))
    return Changes(mirrored if config.flip else np.zeros(count, np.bool_), shifts)


def _mirrored(values: Array, which: Array) -> Array:
    """A copy with the last axis of some rows reversed."""
    copy = values.copy()
    copy[which] = copy[which][..., ::-1]
    return copy


def _moved(values: Array, shifts: IntArray, fill: int) -> Array:
    """A copy with each row's content moved over the last two axes."""
    moved = np.full_like(values, fill)
    height, width = values.shape[-2:]
    for row, (down, right) in enumerate(shifts):
        moved[row, ..., max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = values[
            row, ..., max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)
        ]
    return moved


def _objects(labels: Array, mirrored: Array, shifts: IntArray, size: tuple[int, int]) -> Array:
    """Labels of objects in images that were mirrored and moved; their padding stays where it is."""
    changed = labels.copy()
    boxes = changed["boxes"]
    left, top, right, bottom = np.moveaxis(boxes[mirrored], -1, 0)
    boxes[mirrored] = np.stack([size[1] - right, top, size[1] - left, bottom], axis=-1)
    boxes += shifts[:, None, [1, 0, 1, 0]]
    np.clip(boxes, 0, np.array([size[1], size[0]] * 2), out=boxes)
    gone = np.any(boxes[..., 2:] - boxes[..., :2] < _SMALLEST, axis=-1) | (changed["classes"] == PADDING)
    boxes[gone], changed["classes"][gone], changed["crowd"][gone] = 0, PADDING, False
    if "masks" in (labels.dtype.names or ()):
        masks = _moved(_mirrored(labels["masks"], mirrored), shifts, 0)
        masks[gone] = 0
        changed["masks"] = masks
    return changed
