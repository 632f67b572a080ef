"""From a detector's outputs to boxes with classes and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.detection.positions import positions
from paredown.algorithms.outputs import as_tuple
from paredown.contracts import Array, FloatArray, IntArray, Outputs
from paredown.errors import ModelError

CANDIDATES = 300
"""How many of an image's best (position, class) pairs compete."""


@dataclass(frozen=True, slots=True)
class Detections:
    """What was detected in one image, the surest first; of equals the one with the earlier class, then position.

    Attributes:
        boxes: [count, 4], float64: x1, y1, x2, y2 in pixels, within the image.
        classes: [count], int64.
        scores: [count], float64: sqrt(sigmoid(logit) * sigmoid(centerness)).
    """

    boxes: FloatArray
    classes: IntArray
    scores: FloatArray


def decode(
    outputs: Outputs, image_size: Sequence[int], *, least_score: float, overlap: float, most: int
) -> list[Detections]:
    """The detections of each image, after suppression of what overlaps within a class; see `located`."""
    found = located(outputs, image_size, least_score=least_score, overlap=overlap, most=most)
    return [detections for detections, _ in found]


def located(
    outputs: Outputs, image_size: Sequence[int], *, least_score: float, overlap: float, most: int
) -> list[tuple[Detections, IntArray]]:
    """The detections of each image, and for each of them the position, [count], that it comes from.

    Args:
        outputs: Logits, distances and centerness; see the package.
        image_size: Height and width in pixels.
        least_score: Detections with less are dropped.
        overlap: The intersection over union above which the less sure of two boxes of a class is dropped.
        most: How many of the surest are kept.

    Raises:
        ModelError: The outputs are not those of a detector for images of this size.
    """
    logits, distances, centerness = _checked(outputs, image_size)
    centres = positions(image_size).centres.T
    low, high = centres - distances[:, :2], centres + distances[:, 2:]
    limits = np.asarray(image_size[::-1], np.float64)[:, None]
    boxes = np.concatenate([np.clip(low, 0, limits), np.clip(high, 0, limits)], axis=1).transpose(0, 2, 1)
    scores = np.sqrt(_sigmoid(logits) * _sigmoid(centerness)[:, None])
    return [_of_image(own, sure, least_score, overlap, most) for own, sure in zip(boxes, scores, strict=True)]


def intersection_over_union(one: FloatArray, other: FloatArray) -> FloatArray:
    """Of every box of one array, [m, 4], with every box of the other, [n, 4]: [m, n]; 0 where neither has an area."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.maximum(union, np.finfo(np.float64).tiny))


def _checked(outputs: Outputs, image_size: Sequence[int]) -> tuple[FloatArray, FloatArray, FloatArray]:
    found, count = as_tuple(outputs), len(positions(image_size).strides)
    given = [one.shape for one in found]
    batch, classes = given[0][:2] if found[0].ndim > 1 else (0, 0)
    if given != [(batch, classes, count), (batch, 4, count), (batch, count)]:
        raise ModelError(
            "the network's outputs are not those of a detector",
            where="model",
            value=", ".join(map(str, given)),
            expected=f"[batch, classes, {count}], [batch, 4, {count}] and [batch, {count}]",
            remedy="choose a detector",
        )
    logits, distances, centerness = (one.astype(np.float64) for one in found)
    return logits, distances, centerness


def _of_image(
    boxes: FloatArray, scores: FloatArray, least_score: float, overlap: float, most: int
) -> tuple[Detections, IntArray]:
    """Of boxes [positions, 4] and scores [classes, positions]."""
    flat = scores.ravel()
    order = np.argsort(-flat, kind="stable")[:CANDIDATES]
    order = order[flat[order] > least_score]
    classes, places = np.divmod(order, scores.shape[1])
    kept = _suppressed(boxes[places], classes, overlap)[:most]
    return Detections(boxes[places[kept]], classes[kept], flat[order[kept]]), places[kept]


def _suppressed(boxes: FloatArray, classes: IntArray, overlap: float) -> Array:
    """The places of boxes, the surest first, that no surer one of their class overlaps too much."""
    rivals = (intersection_over_union(boxes, boxes) > overlap) & (classes[:, None] == classes[None])
    alive = np.ones(len(boxes), np.bool_)
    for place in range(len(boxes)):
        if alive[place]:
            alive[place + 1 :] &= ~rivals[place, place + 1 :]
    return np.flatnonzero(alive)


def _sigmoid(values: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1 + np.tanh(values / 2)))
