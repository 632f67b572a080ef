"""The loss of detectors on boxes: that of anchor-free ones (FCOS, Tian et al., 2019), or that of the head at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from paredown.algorithms.detection.targets import IGNORED, Targets, assign
from paredown.algorithms.losses.detection import ALPHA, GAMMA, LEAST
from paredown.contracts import Array
from paredown_torch.losses.default_boxes import ssd


def detection(
    student: tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Tensor],
    teacher: object,
    labels: Array,
    options: Mapping[str, Any],
) -> Tensor:
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


def fcos(student: tuple[Tensor, Tensor, Tensor], teacher: object, labels: Array, options: Mapping[str, Any]) -> Tensor:  # noqa: ARG001
    """Focal loss of the classes, generalised IoU of the boxes, and cross entropy of the centerness.

    Args:
        student: Logits [batch, classes, positions], distances [batch, 4, positions], centerness [batch, positions].
        teacher: Unused.
        labels: Records of `paredown.algorithms.objects`, [batch], in NumPy.
        options: `image_size`, height and width in pixels.
    """
    return fcos_of(student, assign(labels, options["image_size"]))


def fcos_of(student: tuple[Tensor, Tensor, Tensor], targets: Targets) -> Tensor:
    """`fcos` of a batch whose targets are known."""
    logits, distances, centerness = student
    classes = torch.from_numpy(targets.classes).to(logits.device)
    wanted, sides = (torch.from_numpy(one).to(logits) for one in (targets.centerness, targets.distances))
    found = classes >= 0
    count = max(1, int(found.sum()))
    is_class = classes[:, None] == torch.arange(logits.shape[1], device=logits.device)[:, None]
    right = torch.where(is_class, logits, -logits)
    log_right = functional.logsigmoid(right)
    focal = torch.where(is_class, ALPHA, 1 - ALPHA) * (1 - log_right.exp()) ** GAMMA * -log_right
    apart = 1 - _generalised_iou(distances, sides)
    entropy = functional.binary_cross_entropy_with_logits(centerness, wanted, reduction="none")
    return (
        (focal * (classes != IGNORED)[:, None]).sum() / count
        + (apart * wanted).sum() / wanted.sum().clamp(min=LEAST)
        + (entropy * found).sum() / count
    )


def _generalised_iou(one: Tensor, other: Tensor) -> Tensor:
    """Of boxes around the same positions, by their distances [batch, 4, positions]: [batch, positions]."""
    shared, hull = _area(torch.minimum(one, other)), _area(torch.maximum(one, other))
    union = _area(one) + _area(other) - shared
    return shared / union.clamp(min=LEAST) - (hull - union) / hull.clamp(min=LEAST)


def _area(distances: Tensor) -> Tensor:
    return (distances[:, 0] + distances[:, 2]) * (distances[:, 1] + distances[:, 3])
