"""Losses of the student's outputs with the labels alone, for tasks other than one class an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional

from paredown.algorithms.objects import IGNORED


def pixel_cross_entropy(student: Tensor, teacher: Tensor | None, labels: Tensor, options: Mapping[str, Any]) -> Tensor:  # noqa: ARG001
    """Cross entropy with the labels, mean over all pixels of the batch that count; 0 where none does.

    Args:
        student: Logits, [batch, classes, height, width].
        teacher: Unused.
        labels: Class indices, int64, 255 where a pixel does not count, [batch, height, width].
        options: Unused.
    """
    total = functional.cross_entropy(student, labels, ignore_index=IGNORED, reduction="sum")
    return total / (labels != IGNORED).sum().clamp(min=1)


def binary_cross_entropy(student: Tensor, teacher: Tensor | None, labels: Tensor, options: Mapping[str, Any]) -> Tensor:  # noqa: ARG001
    """Cross entropy of sigmoid(student) with labels of 0 and 1, mean over images and classes.

    Args:
        student: Logits, [batch, classes].
        teacher: Unused.
        labels: 1 for each class that the image has, else 0, int64, [batch, classes].
        options: Unused.
    """
    return functional.binary_cross_entropy_with_logits(student, labels.to(student.dtype))
