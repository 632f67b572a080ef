"""Labels of the objects in images: one structured array with the batch axis first, so that it is sliced like any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paredown.contracts import Array, FloatArray, IntArray

PADDING = -1
"""The class of the places behind an image's last object."""
IGNORED = 255
"""The class of pixels that a class map says nothing of: they count neither in losses nor in metrics."""


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one image.

    Attributes:
        boxes: [count, 4], float32: x1, y1, x2, y2 in pixels of the network's input, of which x2 and y2 are outside.
        classes: [count], int64, from 0.
        crowd: [count], bool: whether a box holds a crowd, which is neither to be found nor to be missed.
        masks: [count, height, width], uint8, 1 where the object is; None where there are boxes alone.
    """

    boxes: FloatArray
    classes: IntArray
    crowd: Array
    masks: Array | None = None


def object_dtype(places: int, mask_size: tuple[int, int] | None = None) -> np.dtype[np.void]:
    """The dtype of one image's label with so many places for objects: `boxes`, `classes`, `crowd`, perhaps `masks`."""
    fields = [("boxes", np.float32, (places, 4)), ("classes", np.int64, (places,)), ("crowd", np.bool_, (places,))]
    masks = [] if mask_size is None else [("masks", np.uint8, (places, *mask_size))]
    return np.dtype([*fields, *masks])


def pack(images: Sequence[Objects], places: int | None = None, mask_size: tuple[int, int] | None = None) -> Array:
    """The labels of images as one structured array, [images].

    Args:
        images: The objects of each image; none is a possible number.
        places: For how many objects there is room; as many as the fullest image has, and at least one, where not given.
        mask_size: Height and width of masks, where objects have them.
    """
    needed = max((len(one.classes) for one in images), default=0)
    labels = np.zeros(len(images), object_dtype(max(1, needed) if places is None else places, mask_size))
    labels["classes"] = PADDING
    for label, one in zip(labels, images, strict=True):
        count = len(one.classes)
        label["boxes"][:count] = one.boxes
        label["classes"][:count] = one.classes
        label["crowd"][:count] = one.crowd
        if mask_size is not None:
            label["masks"][:count] = one.masks
    return labels


def joined(batches: Sequence[Array]) -> Array:
    """Labels of several batches, one after the other; those with room for fewer objects are padded.

    Raises:
        ValueError: They have other fields, or masks of other sizes.
    """
    if len({one.dtype for one in batches}) == 1:
        return np.concatenate(batches)
    fields = {frozenset(one.dtype.names or ()) for one in batches}
    sizes = {_mask_size(one) for one in batches}
    own = {"boxes", "classes", "crowd"} | (set() if None in sizes else {"masks"})
    if fields != {frozenset(own)} or len(sizes) != 1:
        raise ValueError("records of several forms")
    places = max(one["classes"].shape[1] for one in batches)
    labels = np.zeros(sum(map(len, batches)), object_dtype(places, sizes.pop()))
    labels["classes"] = PADDING
    start = 0
    for one in batches:
        for name in own:
            labels[name][start : start + len(one), : one["classes"].shape[1]] = one[name]
        start += len(one)
    return labels


def _mask_size(labels: Array) -> tuple[int, int] | None:
    if "masks" not in (labels.dtype.names or ()):
        return None
    height, width = labels["masks"].shape[2:]
    return int(height), int(width)


def box_of(mask: Array) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 around the pixels of a mask [height, width] that are not zero; x2 and y2 are outside.

    Raises:
        ValueError: The mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise ValueError("an empty mask has no box")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
