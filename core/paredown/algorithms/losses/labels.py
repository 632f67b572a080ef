"""Losses of the student's outputs with the labels alone, for tasks other than one class an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.algorithms.losses.logits import log_softmax, rows
from paredown.algorithms.objects import IGNORED
from paredown.contracts import FloatArray, IntArray


def pixel_cross_entropy(
    student: FloatArray,
    teacher: FloatArray | None,  # noqa: ARG001
    labels: IntArray,
    options: Mapping[str, Any],  # noqa: ARG001
) -> float:
    """Cross entropy with the labels, mean over all pixels of the batch that count; 0 where none does.

    Long, Shelhamer and Darrell, 2015, "Fully Convolutional Networks for Semantic Segmentation".

    Args:
        student: Logits, [batch, classes, height, width].
        teacher: Unused.
        labels: Class indices, 255 where a pixel does not count, [batch, height, width].
        options: Unused.
    """
    wanted = labels.reshape(-1)
    counts = np.flatnonzero(wanted != IGNORED)
    costs = -log_softmax(rows(student)[counts])[np.arange(len(counts)), wanted[counts]]
    return float(np.sum(costs) / max(len(counts), 1))


def binary_cross_entropy(
    student: FloatArray,
    teacher: FloatArray | None,  # noqa: ARG001
    labels: IntArray,
    options: Mapping[str, Any],  # noqa: ARG001
) -> float:
    """Cross entropy of sigmoid(student) with labels of 0 and 1, mean over images and classes.

    With x a logit and y its label: log(1 + exp(x)) - x * y.

    Args:
        student: Logits, [batch, classes].
        teacher: Unused.
        labels: 1 for each class that the image has, else 0, [batch, classes].
        options: Unused.
    """
    logits = student.astype(np.float64)
    return float(np.mean(np.logaddexp(0.0, logits) - logits * labels))
