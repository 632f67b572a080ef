"""Losses of the student's outputs with the labels alone, for tasks other than one class an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paredown.algorithms.objects import IGNORED
from paredown_paddle.framework import paddle


def pixel_cross_entropy(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001
    """Cross entropy with the labels, mean over all pixels of the batch that count; 0 where none does.

    Paddle counts no pixel for more than 64 on a CPU; the gradient is exact.

    Args:
        student: Logits, [batch, classes, height, width].
        teacher: Unused.
        labels: Class indices, int64, 255 where a pixel does not count, [batch, height, width].
        options: Unused.
    """
    total = paddle.nn.functional.cross_entropy(
        student, labels.unsqueeze(1), ignore_index=IGNORED, reduction="sum", axis=1
    )
    return total / (labels != IGNORED).sum().clip(min=1).astype(student.dtype)


def binary_cross_entropy(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001
    """Cross entropy of sigmoid(student) with labels of 0 and 1, mean over images and classes.

    Args:
        student: Logits, [batch, classes].
        teacher: Unused.
        labels: 1 for each class that the image has, else 0, int64, [batch, classes].
        options: Unused.
    """
    return paddle.nn.functional.binary_cross_entropy_with_logits(student, labels.astype(student.dtype))
