"""How far two networks detect the same objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from paredown.algorithms.detection.decoding import Detections, intersection_over_union
from paredown.algorithms.detection.instances import Instances, mask_overlap
from paredown.contracts import FloatArray

SAME = 0.5
"""The intersection over union from which on two boxes or masks of one class are the same detection."""


def agreement(first: Sequence[Detections], second: Sequence[Detections]) -> float:
    """The share of detections that both networks made: 2 * pairs / all detections of both; 1 where neither has any.

    Within an image each detection is in one pair at most; those that overlap most are paired first.
    """
    return _share(
        (one, other, intersection_over_union(one.boxes, other.boxes)) for one, other in zip(first, second, strict=True)
    )


def mask_agreement(first: Iterable[Instances], second: Iterable[Instances]) -> float:
    """As `agreement`, by the overlap of masks."""
    return _share(
        (one.detections, other.detections, mask_overlap(one.masks, other.masks))
        for one, other in zip(first, second, strict=True)
    )


def _share(images: Iterable[tuple[Detections, Detections, FloatArray]]) -> float:
    """Of each image the detections of both networks, and how far they overlap, [first, second]."""
    pairs = total = 0
    for one, other, overlap in images:
        pairs += _pairs(one, other, overlap)
        total += len(one.scores) + len(other.scores)
    return 2 * pairs / total if total else 1.0


def _pairs(one: Detections, other: Detections, overlap: FloatArray) -> int:
    overlap = np.where(one.classes[:, None] == other.classes[None], overlap, 0.0)
    count = 0
    while overlap.size and overlap.max() >= SAME:
        row, column = np.unravel_index(overlap.argmax(), overlap.shape)
        overlap[row], overlap[:, column] = 0.0, 0.0
        count += 1
    return count
