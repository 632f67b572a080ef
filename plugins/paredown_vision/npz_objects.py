"""Objects in the images of a NumPy file: those that cannot be used, and boxes that reach out of their image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from paredown.algorithms.labels import ROUNDED
from paredown.algorithms.objects import PADDING, Objects, pack
from paredown.contracts import Array, FloatArray
from paredown.errors import DataError
from paredown_vision.dataset_configs import NpzConfig
from paredown_vision.faults import settle


def object_labels(
    parts: Mapping[str, Array], split: str, size: tuple[int, int], config: NpzConfig, path: Path
) -> tuple[Array, tuple[str, ...]]:
    """The labels of a split, and the notes on what was left out or cut at the image's edges.

    Args:
        parts: The arrays `boxes`, `classes` and perhaps `crowd` and `masks`.
        split: Its name, for errors.
        size: Height and width of the images.
        config: Says what happens to what is wrong.
        path: The file, for errors.

    Raises:
        DataError: The arrays do not fit each other, or an object cannot be used and is not to be left out.
    """
    boxes, classes = parts["boxes"], parts["classes"]
    crowd = parts.get("crowd", np.zeros(classes.shape, np.bool_))
    masks = parts.get("masks")
    fits = boxes.shape == (*classes.shape, 4) and classes.ndim == 2 and crowd.shape == classes.shape
    if not fits or (masks is not None and (masks.ndim != 4 or masks.shape[:2] != classes.shape)):
        raise DataError(
            f"the objects of `{split}` do not fit each other",
            where=str(path),
            value=f"boxes {boxes.shape}, classes {classes.shape}, crowd {crowd.shape}",
            expected="classes (count, objects), boxes (count, objects, 4), masks (count, objects, height, width)",
            remedy="mend the file",
        )
    boxes, there = boxes.astype(np.float64), classes != PADDING
    total = f"{np.count_nonzero(there)} objects of `{split}`"
    fault = np.where(np.isfinite(boxes).all(axis=2), "", "NaN or infinity in its box")
    fault = np.where((fault == "") & np.any(boxes[..., 2:] <= boxes[..., :2], axis=2), "no width or height", fault)
    if masks is not None:
        fault = np.where((fault == "") & ~masks.any(axis=(2, 3)), "an empty mask", fault)
    unusable = there & (fault != "")
    notes = settle(list(_named(unusable, boxes, fault)), total, path, skip=config.on_error == "skip")
    kept = there & ~unusable
    inside = np.clip(boxes, 0, np.array([size[1], size[0]] * 2))
    beyond = kept & (np.abs(inside - boxes).max(axis=2, initial=0) > ROUNDED)
    reach = np.full(kept.shape, f"a box that reaches out of {size[1]} x {size[0]} pixels")
    clip = config.outside == "clip"
    notes += settle(list(_named(beyond, boxes, reach)), total, path, skip=clip, option="outside: clip")
    outside = kept & ~np.all(inside[..., 2:] > inside[..., :2], axis=2)
    away = np.full(kept.shape, f"a box outside of {size[1]} x {size[0]} pixels")
    notes += settle(list(_named(outside & ~beyond, boxes, away)), total, path, skip=clip, option="outside: clip")
    kept &= ~outside
    rows = [
        Objects(
            inside[row][keep].astype(np.float32),
            classes[row][keep],
            crowd[row][keep],
            None if masks is None else masks[row][keep],
        )
        for row, keep in enumerate(kept)
    ]
    return pack(rows, classes.shape[1], None if masks is None else (masks.shape[2], masks.shape[3])), notes


def _named(wrong: Array, boxes: FloatArray, fault: Array) -> Iterator[str]:
    for image, place in np.argwhere(wrong):
        corners = ", ".join(f"{corner:g}" for corner in boxes[image, place])
        yield f"object {place} of image {image} has {fault[image, place]}: {corners}"
