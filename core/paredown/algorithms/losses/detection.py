"""The loss of detectors on boxes: that of anchor-free ones (FCOS, Tian et al., 2019), or that of the head at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paredown.algorithms.detection.targets import IGNORED, assign
from paredown.algorithms.losses.default_boxes import ssd
from paredown.contracts import Array, FloatArray

ALPHA, GAMMA = 0.25, 2.0
"""Of the focal loss (Lin et al., 2017, section 4)."""
LEAST = 1e-7
"""The least area and sum of weights that is divided by, in square pixels."""


def detection(
    student: tuple[FloatArray, FloatArray] | tuple[FloatArray, FloatArray, FloatArray],
    teacher: object,
    labels: Array,
    options: Mapping[str, Any],
) -> float:
    """The loss that goes with a detector's head: `ssd` for default boxes, else `fcos`.

    Args:
        student: What either takes.
        teacher: Unused.
        labels: Records of `paredown.algorithms.objects`, [batch].
        options: `image_size`, height and width in pixels.

    Raises:
        ModelError: There are two outputs, and not those of default boxes for images of this size.
    """
    if len(student) == 2:
        return ssd(student, teacher, labels, options)
    return fcos(student, teacher, labels, options)


def fcos(
    student: tuple[FloatArray, FloatArray, FloatArray],
    teacher: object,  # noqa: ARG001 - one signature
    labels: Array,
    options: Mapping[str, Any],
) -> float:
    """Focal loss of the classes, generalised IoU of the boxes, and cross entropy of the centerness, each weighed by 1.

    Classes: over all positions but ignored ones, for each class with p the sigmoid of the logit, or one minus it where
    the class is not the position's: -a * (1 - p)^2 * log(p), a = 1/4 or 3/4 (Lin et al., 2017), by the number of
    positions with an object. Boxes: 1 - GIoU (Rezatofighi et al., 2019), weighed by the target's centerness.
    Centerness: mean over positions with an object. A batch without objects divides by 1.

    Args:
        student: Logits [batch, classes, positions], distances [batch, 4, positions], centerness [batch, positions].
        teacher: Unused.
        labels: Records of `paredown.algorithms.objects`, [batch].
        options: `image_size`, height and width in pixels.
    """
    return sum(fcos_terms(student, labels, options["image_size"]))


def fcos_terms(
    student: tuple[FloatArray, FloatArray, FloatArray], labels: Array, image_size: Sequence[int]
) -> tuple[float, float, float]:
    """The terms of `fcos`: classes, boxes, centerness."""
    logits, distances, centerness = (np.asarray(one, np.float64) for one in student)
    targets = assign(labels, image_size)
    found = targets.classes >= 0
    count = max(1, int(found.sum()))
    is_class = targets.classes[:, None] == np.arange(logits.shape[1])[:, None]
    right = np.where(is_class, logits, -logits)
    focal = np.where(is_class, ALPHA, 1 - ALPHA) * (1 - np.exp(_log_sigmoid(right))) ** GAMMA * -_log_sigmoid(right)
    classes = float((focal * (targets.classes != IGNORED)[:, None]).sum()) / count
    apart = 1 - _generalised_iou(distances, targets.distances)
    boxes = float((apart * targets.centerness).sum()) / max(float(targets.centerness.sum()), LEAST)
    wanted = targets.centerness
    entropy = -wanted * _log_sigmoid(centerness) - (1 - wanted) * _log_sigmoid(-centerness)
    return classes, boxes, float((entropy * found).sum()) / count


def _generalised_iou(one: FloatArray, other: FloatArray) -> FloatArray:
    """Of boxes around the same positions, by their distances [batch, 4, positions]: [batch, positions]."""
    shared, hull = _area(np.minimum(one, other)), _area(np.maximum(one, other))
    union = _area(one) + _area(other) - shared
    return np.asarray(shared / np.maximum(union, LEAST) - (hull - union) / np.maximum(hull, LEAST))


def _area(distances: FloatArray) -> FloatArray:
    return np.asarray((distances[:, 0] + distances[:, 2]) * (distances[:, 1] + distances[:, 3]))


def _log_sigmoid(values: FloatArray) -> FloatArray:
    return np.asarray(-np.logaddexp(0, -values))
