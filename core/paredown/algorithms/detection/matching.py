"""How far two networks detect the same objects."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from paredown.algorithms.detection.decoding import Detections
from paredown.algorithms.detection.instances import Instances, mask_overlap
from paredown.algorithms.detection.overlaps import intersection_over_union
from paredown.contracts import FloatArray

SAME = 0.5
"""The intersection over union from which on two boxes or masks of one class are the same detection."""


def shared_detections(first: Iterable[Detections], second: Iterable[Detections]) -> tuple[int, int]:
    """How many detections of both networks are in pairs, and how many there are.

    Two that are a pair have one class and overlap by at least `SAME`. Within an image each detection is in one pair at
    most; those that overlap most are paired first.
    """
    return _counted(
        (one, other, intersection_over_union(one.boxes, other.boxes)) for one, other in zip(first, second, strict=True)
    )


def shared_instances(first: Iterable[Instances], second: Iterable[Instances]) -> tuple[int, int]:
    """As `shared_detections`, by the overlap of masks."""
    return _counted(
        (one.detections, other.detections, mask_overlap(one.masks, other.masks))
        for one, other in zip(first, second, strict=True)
    )


def _counted(images: Iterable[tuple[Detections, Detections, FloatArray]]) -> tuple[int, int]:
    """Of each image the detections of both networks, and how far they overlap, [first, second]."""
    shared = total = 0
    for one, other, overlap in images:
        shared += 2 * _pairs(one, other, overlap)
        total += len(one.scores) + len(other.scores)
    return shared, total


def _pairs(one: Detections, other: Detections, overlap: FloatArray) -> int:
    overlap = np.where(one.classes[:, None] == other.classes[None], overlap, 0.0)
    count = 0
    while overlap.size and overlap.max() >= SAME:
        row, column = np.unravel_index(overlap.argmax(), overlap.shape)
        overlap[row], overlap[:, column] = 0.0, 0.0
        count += 1
    return count
