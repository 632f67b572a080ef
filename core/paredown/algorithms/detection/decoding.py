"""From a detector's outputs to boxes with classes and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.detection.default_boxes import default_boxes_for, has_default_boxes
from paredown.algorithms.detection.offsets import boxes_of
from paredown.algorithms.detection.overlaps import intersection_over_union
from paredown.algorithms.detection.positions import positions
from paredown.algorithms.outputs import as_tuple
from paredown.contracts import Array, FloatArray, IntArray, Outputs
from paredown.errors import ModelError

CANDIDATES = 300
"""How many of an image's best (position, class) or (default box, class) pairs compete."""


@dataclass(frozen=True, slots=True)
class Detections:
    """What was detected in one image, the surest first; of equals the one with the earlier class, then position.

    Attributes:
        boxes: [count, 4], float64: x1, y1, x2, y2 in pixels, within the image.
        classes: [count], int64.
        scores: [count], float64: sqrt(sigmoid(logit) * sigmoid(centerness)), or of default boxes the softmax.
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
    """The detections of each image, and for each of them the position or default box, [count], that it comes from.

    Args:
        outputs: Logits, distances and centerness, or logits and offsets; see the package.
        image_size: Height and width in pixels.
        least_score: Detections with less are dropped.
        overlap: The intersection over union above which the less sure of two boxes of a class is dropped.
        most: How many of the surest are kept.

    Raises:
        ModelError: The outputs are not those of a detector for images of this size.
    """
    boxes, scores = (_of_default_boxes if has_default_boxes(outputs) else _of_positions)(outputs, image_size)
    boxes = np.clip(boxes, 0, np.tile(image_size[::-1], 2))
    return [_of_image(own, sure, least_score, overlap, most) for own, sure in zip(boxes, scores, strict=True)]


def _of_positions(outputs: Outputs, image_size: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """Boxes [batch, positions, 4] and scores [batch, classes, positions]."""
    logits, distances, centerness = _checked(outputs, image_size)
    centres, sides = positions(image_size).centres, distances.transpose(0, 2, 1)
    boxes = np.concatenate([centres - sides[..., :2], centres + sides[..., 2:]], axis=2)
    return boxes, np.sqrt(_sigmoid(logits) * _sigmoid(centerness)[:, None])


def _of_default_boxes(outputs: Outputs, image_size: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """Boxes [batch, boxes, 4] and scores [batch, classes, boxes], the background left out."""
    defaults = default_boxes_for([one.shape for one in as_tuple(outputs)], image_size)
    logits, offsets = (one.astype(np.float64) for one in as_tuple(outputs))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return boxes_of(offsets.transpose(0, 2, 1), defaults), (powers / powers.sum(axis=1, keepdims=True))[:, 1:]


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
