"""How far two networks detect the same objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paredown.algorithms.detection.decoding import Detections, intersection_over_union

SAME = 0.5
"""The intersection over union from which on two boxes of one class are the same detection."""


def agreement(first: Sequence[Detections], second: Sequence[Detections]) -> float:
    """The share of detections that both networks made: 2 * pairs / all detections of both; 1 where neither has any.

    Within an image each detection is in one pair at most; those that overlap most are paired first.
    """
    pairs = sum(_pairs(one, other) for one, other in zip(first, second, strict=True))
    total = sum(len(one.scores) for one in (*first, *second))
    return 2 * pairs / total if total else 1.0


def _pairs(one: Detections, other: Detections) -> int:
    overlap = intersection_over_union(one.boxes, other.boxes)
    overlap = np.where(one.classes[:, None] == other.classes[None], overlap, 0.0)
    count = 0
    while overlap.size and overlap.max() >= SAME:
        row, column = np.unravel_index(overlap.argmax(), overlap.shape)
        overlap[row], overlap[:, column] = 0.0, 0.0
        count += 1
    return count
