"""The loss of detectors on boxes: that of anchor-free ones (FCOS, Tian et al., 2019), or that of the head at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paredown.algorithms.detection.targets import IGNORED, Targets, assign
from paredown.algorithms.losses.detection import ALPHA, GAMMA, LEAST
from paredown_paddle.framework import paddle
from paredown_paddle.losses.default_boxes import ssd


def detection(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:
    """The loss that goes with a detector's head: `ssd` for default boxes, else `fcos`.

    Args:
        student: What either takes.
        teacher: Unused.
        labels: Records of `paredown.algorithms.objects`, [batch], in NumPy.
        options: `image_size`, height and width in pixels.

    Raises:
        ModelError: There are two outputs, and not those of default boxes for images of this size.
    """
    if len(student) == 2:
        return ssd(student, teacher, labels, options)
    return fcos(student, teacher, labels, options)


def fcos(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001 - one signature
    """Focal loss of the classes, generalised IoU of the boxes, and cross entropy of the centerness.

    Args:
        student: Logits [batch, classes, positions], distances [batch, 4, positions], centerness [batch, positions].
        teacher: Unused.
        labels: Records of `paredown.algorithms.objects`, [batch], in NumPy.
        options: `image_size`, height and width in pixels.
    """
    return fcos_of(student, assign(labels, options["image_size"]))


def fcos_of(student: Any, targets: Targets) -> Any:
    """`fcos` of a batch whose targets are known."""
    logits, distances, centerness = student
    wanted, sides = (paddle.to_tensor(one, dtype=logits.dtype) for one in (targets.centerness, targets.distances))
    classes = paddle.to_tensor(targets.classes)
    found = (classes >= 0).astype(logits.dtype)
    count = max(1, int((targets.classes >= 0).sum()))
    is_class = (classes.unsqueeze(1) == paddle.arange(logits.shape[1]).unsqueeze(1)).astype(logits.dtype)
    log_right = _log_sigmoid((2 * is_class - 1) * logits)
    balance = ALPHA * is_class + (1 - ALPHA) * (1 - is_class)
    focal = balance * (1 - log_right.exp()) ** GAMMA * -log_right
    counts = (classes != IGNORED).astype(logits.dtype).unsqueeze(1)
    apart = 1 - _generalised_iou(distances, sides)
    entropy = -wanted * _log_sigmoid(centerness) - (1 - wanted) * _log_sigmoid(-centerness)
    return (
        (focal * counts).sum() / count
        + (apart * wanted).sum() / wanted.sum().clip(min=LEAST)
        + (entropy * found).sum() / count
    )


def _generalised_iou(one: Any, other: Any) -> Any:
    """Of boxes around the same positions, by their distances [batch, 4, positions]: [batch, positions]."""
    shared, hull = _area(paddle.minimum(one, other)), _area(paddle.maximum(one, other))
    union = _area(one) + _area(other) - shared
    return shared / union.clip(min=LEAST) - (hull - union) / hull.clip(min=LEAST)


def _area(distances: Any) -> Any:
    return (distances[:, 0] + distances[:, 2]) * (distances[:, 1] + distances[:, 3])


def _log_sigmoid(values: Any) -> Any:
    return paddle.nn.functional.log_sigmoid(values)
