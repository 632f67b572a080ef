"""Masks of COCO's objects: polygons and run lengths, through pycocotools."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from paredown.contracts import Array
from paredown_vision.pictures import Unreadable


def decoded(segmentation: Any, width: int, height: int) -> Array:
    """The mask of one object in its picture, uint8, [height, width].

    Args:
        segmentation: A list of polygons, or run lengths, compressed or not, as COCO writes them.
        width: The picture's.
        height: The picture's.

    Raises:
        Unreadable: It is neither, belongs to a picture of another size, or has no pixel.
    """
    from pycocotools import mask as masks

    checked = _checked(segmentation, width, height)
    try:
        packed = isinstance(checked, dict) and isinstance(checked["counts"], bytes)
        runs = checked if packed else masks.frPyObjects(checked, height, width)
        mask = np.asarray(masks.decode(masks.merge(runs) if isinstance(runs, list) else runs))
    except Exception as error:  # what C code makes of wrong run lengths
        raise Unreadable(f"has a mask that cannot be read: {error}") from error
    if not mask.any():
        raise Unreadable("has a mask without a pixel")
    return mask


def _checked(segmentation: Any, width: int, height: int) -> Any:
    """What pycocotools' C code may be given: it trusts numbers and lengths."""
    if isinstance(segmentation, list):
        polygons = [one for one in segmentation if isinstance(one, list) and len(one) >= 6 and len(one) % 2 == 0]
        if polygons and len(polygons) == len(segmentation) and all(map(_are_places, polygons)):
            return polygons
        raise Unreadable("has no polygon of at least three corners")
    if not isinstance(segmentation, dict) or segmentation.get("size") != [height, width]:
        raise Unreadable(f"has neither polygons nor run lengths for {width} x {height} pixels")
    counts = segmentation.get("counts")
    if isinstance(counts, list):
        if not all(type(one) is int and one >= 0 for one in counts) or sum(counts) != width * height:
            raise Unreadable("has run lengths that do not fill its picture")
    elif not isinstance(counts, str):
        raise Unreadable("has no run lengths")
    elif sum(_run_lengths(counts)) != width * height:
        raise Unreadable("has run lengths that do not fill its picture")
    return segmentation if isinstance(counts, list) else {"size": [height, width], "counts": counts.encode("ascii")}


def _are_places(polygon: list[Any]) -> bool:
    return all(isinstance(one, int | float) and math.isfinite(one) and abs(one) < 1e6 for one in polygon)


def _run_lengths(text: str) -> list[int]:
    """The numbers of COCO's compressed run lengths: 5 bits a character, differences to the number before the last.

    Raises:
        Unreadable: A character is none of the 64, a number is cut off, or a length is negative.
    """
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 30:
            raise Unreadable("has run lengths that are not COCO's")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        value -= (1 << shift) if code & 16 else 0
        value += lengths[-2] if len(lengths) > 2 else 0
        if value < 0:
            raise Unreadable("has a negative run length")
        lengths.append(value)
        value = shift = 0
    if shift:
        raise Unreadable("has run lengths that are cut off")
    return lengths
