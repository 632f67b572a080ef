"""From the outputs of a detector with masks to objects with classes, scores, boxes and masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.detection.decoding import Detections, located
from paredown.algorithms.detection.mask_targets import PROTOTYPE_STRIDE, prototype_size
from paredown.algorithms.outputs import as_tuple
from paredown.contracts import Array, FloatArray, Outputs
from paredown.errors import ModelError


@dataclass(frozen=True, slots=True)
class Instances:
    """What was found in one image, the surest first.

    Attributes:
        detections: Boxes, classes and scores.
        masks: [count, height, width], bool, in pixels of the image; no mask is empty, and none leaves its box.
    """

    detections: Detections
    masks: Array


def decode_instances(
    outputs: Outputs, image_size: Sequence[int], *, least_score: float, overlap: float, most: int
) -> Iterator[Instances]:
    """The objects of each image, one image after the other, since masks take memory.

    Boxes are found as without masks. A mask is where the sum of the prototypes, each times its coefficient at the box's
    position, is above 0, which is where its sigmoid is above 1/2, within the box (Bolya et al., 2019, section 3.1). The
    sum is brought to the image's size bilinearly before. A box whose mask is empty is dropped.

    Args:
        outputs: Logits, distances, centerness, coefficients and prototypes; see the package.
        image_size: Height and width in pixels.
        least_score: As of `decode`.
        overlap: As of `decode`, of boxes.
        most: As of `decode`.

    Raises:
        ModelError: The outputs are not those of a detector with masks for images of this size.
    """
    logits, distances, centerness, coefficients, prototypes = _checked(outputs, image_size)
    found = located((logits, distances, centerness), image_size, least_score=least_score, overlap=overlap, most=most)
    rows, columns = (_enlarging(cells, length) for cells, length in zip(prototypes.shape[2:], image_size, strict=True))
    for (detections, places), own, maps in zip(found, coefficients, prototypes, strict=True):
        yield _of_image(detections, own[:, places].T, maps.astype(np.float64), rows, columns)


def _checked(outputs: Outputs, image_size: Sequence[int]) -> tuple[FloatArray, ...]:
    """All five; what is wrong with the first three is found where boxes are decoded."""
    given = [one.shape for one in as_tuple(outputs)]
    if len(given) == 5 and len(given[2]) == 2 and len(given[3]) == 3:
        (batch, positions), count = given[2], given[3][1]
        if given[3:] == [(batch, count, positions), (batch, count, *prototype_size(image_size))]:
            return as_tuple(outputs)
    height, width = prototype_size(image_size)
    raise ModelError(
        "the network's outputs are not those of a detector with masks",
        where="model",
        value=", ".join(map(str, given)),
        expected=f"those of a detector, then [batch, prototypes, positions] and [batch, prototypes, {height}, {width}]",
        remedy="choose a network for the task `instance_segmentation`",
    )


def _of_image(
    detections: Detections, coefficients: FloatArray, prototypes: FloatArray, rows: FloatArray, columns: FloatArray
) -> Instances:
    """Of coefficients [count, prototypes] and prototypes [prototypes, height, width]."""
    sums = np.tensordot(coefficients.astype(np.float64), prototypes, axes=1)
    masks = (rows @ sums @ columns.T > 0) & _within(detections.boxes, (len(rows), len(columns)))
    kept = masks.any(axis=(1, 2))
    boxes, classes, scores = detections.boxes[kept], detections.classes[kept], detections.scores[kept]
    return Instances(Detections(boxes, classes, scores), masks[kept])


def _within(boxes: FloatArray, size: tuple[int, int]) -> Array:
    """The pixels [count, height, width] whose middle is in a box."""
    y, x = (np.arange(length) + 0.5 for length in size)
    left, top, right, bottom = (boxes[:, edge, None] for edge in range(4))
    rows, columns = (y >= top) & (y < bottom), (x >= left) & (x < right)
    return np.asarray(rows[:, :, None] & columns[:, None])


def _enlarging(cells: int, length: int) -> FloatArray:
    """What brings values of cells to pixels, [length, cells]: linearly between the middles, evenly beyond the last."""
    places = np.clip((np.arange(length) + 0.5) / PROTOTYPE_STRIDE - 0.5, 0, cells - 1)
    below = np.floor(places).astype(np.int64)
    above = np.minimum(below + 1, cells - 1)
    matrix = np.zeros((length, cells))
    np.add.at(matrix, (np.arange(length), below), 1 - (places - below))
    np.add.at(matrix, (np.arange(length), above), places - below)
    return matrix


def mask_overlap(one: Array, other: Array) -> FloatArray:
    """Intersection over union of masks [m, height, width] with masks [n, height, width]: [m, n]; 0 of empty ones."""
    shared = np.tensordot(one.astype(np.float64), other.astype(np.float64), axes=((1, 2), (1, 2)))
    union = one.sum(axis=(1, 2))[:, None] + other.sum(axis=(1, 2))[None] - shared
    return np.asarray(shared / np.maximum(union, 1))
