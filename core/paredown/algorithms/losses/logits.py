"""Losses on the outputs of the student and the teacher: logits, [batch, classes], or one class a pixel.

`kl` and `soft_cross_entropy` take [batch, classes, height, width] besides: each pixel counts as an image.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.algorithms.losses.vectors import unit
from paredown.contracts import FloatArray, IntArray


def hard_label(student: FloatArray, teacher: FloatArray | None, labels: IntArray, options: Mapping[str, Any]) -> float:  # noqa: ARG001
    """Cross entropy with the labels: -mean(log softmax(student)[label]).

    Args:
        student: Logits, [batch, classes].
        teacher: Unused.
        labels: Class indices, [batch].
        options: Unused.
    """
    return float(-np.mean(log_softmax(student)[np.arange(len(labels)), labels]))


def kl(student: FloatArray, teacher: FloatArray, labels: IntArray, options: Mapping[str, Any]) -> float:  # noqa: ARG001
    """Soft labels: T^2 * mean over the batch of KL(softmax(teacher / T) || softmax(student / T)).

    The factor T^2 keeps the gradients' size the same for every temperature (Hinton, Vinyals and Dean, 2015).

    Args:
        student: Logits, [batch, classes].
        teacher: Logits, [batch, classes].
        labels: Unused.
        options: `temperature`, greater than zero.
    """
    temperature = float(options["temperature"])
    student, teacher = rows(student), rows(teacher)
    return temperature**2 * divergence(log_softmax(student / temperature), log_softmax(teacher / temperature))


def mse(student: FloatArray, teacher: FloatArray, labels: IntArray, options: Mapping[str, Any]) -> float:  # noqa: ARG001
    """The mean squared difference of logits (Ba and Caruana, 2014).

    Args:
        student: Logits, [batch, classes].
        teacher: Logits, [batch, classes].
        labels: Unused.
        options: Unused.
    """
    return float(np.mean((student.astype(np.float64) - teacher) ** 2))


def soft_cross_entropy(
    student: FloatArray,
    teacher: FloatArray,
    labels: IntArray,  # noqa: ARG001
    options: Mapping[str, Any],
) -> float:
    """-T^2 * mean over the batch of sum(softmax(teacher / T) * log softmax(student / T)) (Hinton et al., 2015).

    It is `kl` plus T^2 times the entropy of the teacher's outputs, which no training changes.

    Args:
        student: Logits, [batch, classes].
        teacher: Logits, [batch, classes].
        labels: Unused.
        options: `temperature`, greater than zero.
    """
    temperature = float(options["temperature"])
    student, teacher = rows(student), rows(teacher)
    soft = np.exp(log_softmax(teacher / temperature))
    return float(-(temperature**2) * np.mean(np.sum(soft * log_softmax(student / temperature), axis=1)))


def dkd(student: FloatArray, teacher: FloatArray, labels: IntArray, options: Mapping[str, Any]) -> float:
    """T^2 * (alpha * TCKD + beta * NCKD), mean over the batch (Zhao et al., 2022).

    TCKD is the KL divergence between the probabilities of the labelled class and of all others together, NCKD that
    between the probabilities among the others.

    Args:
        student: Logits, [batch, classes].
        teacher: Logits, [batch, classes].
        labels: Class indices, [batch].
        options: `alpha`, `beta`, and `temperature`, greater than zero.
    """
    temperature = float(options["temperature"])
    target, others = _decoupled(student / temperature, labels)
    taught_target, taught_others = _decoupled(teacher / temperature, labels)
    alpha, beta = float(options["alpha"]), float(options["beta"])
    return temperature**2 * (alpha * divergence(target, taught_target) + beta * divergence(others, taught_others))


def dist(student: FloatArray, teacher: FloatArray, labels: IntArray, options: Mapping[str, Any]) -> float:  # noqa: ARG001
    """T^2 * (beta * inter + gamma * intra), each a mean of 1 - Pearson's correlation (Huang et al., 2022).

    `inter` correlates the softened outputs over the classes of each image, `intra` over the images of each class. A
    batch of one has nothing to correlate: its `intra` is 0.

    Args:
        student: Logits, [batch, classes].
        teacher: Logits, [batch, classes].
        labels: Unused.
        options: `beta`, `gamma`, and `temperature`, greater than zero.
    """
    temperature = float(options["temperature"])
    one, other = (np.exp(log_softmax(logits / temperature)) for logits in (student, teacher))
    inter, intra = (_uncorrelated(one, other, axis) for axis in (1, 0))
    return temperature**2 * (float(options["beta"]) * inter + float(options["gamma"]) * intra)


def divergence(log_student: FloatArray, log_teacher: FloatArray) -> float:
    """KL(teacher || student) along the last axis, of logarithms of probabilities; the mean over all other axes."""
    return float(np.mean(np.sum(np.exp(log_teacher) * (log_teacher - log_student), axis=-1)))


def rows(logits: FloatArray) -> FloatArray:
    """Logits [batch, classes, ...] as [batch * positions, classes]: every position as an image of its own."""
    return logits if logits.ndim == 2 else np.moveaxis(logits, 1, -1).reshape(-1, logits.shape[1])


def log_softmax(logits: FloatArray) -> FloatArray:
    """log(softmax(logits)) along the last axis, in float64, shifted by the maximum so that nothing overflows."""
    shifted = logits.astype(np.float64) - np.max(logits, axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True)))


def _decoupled(logits: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Log probabilities: of (labelled class, all others together), [batch, 2]; among the others, [batch, the rest]."""
    is_label = np.arange(logits.shape[1]) == np.asarray(labels)[:, None]
    others = logits[~is_label].reshape(len(logits), -1)
    top = np.max(others, axis=1)
    together = top + np.log(np.sum(np.exp(others - top[:, None]), axis=1))
    return log_softmax(np.stack([logits[is_label], together], axis=1)), log_softmax(others)


def _uncorrelated(one: FloatArray, other: FloatArray, axis: int) -> float:
    """The mean of 1 - Pearson's correlation along an axis.

    It is half the squared distance of the centred vectors of length 1: in this form 0 where both are constant.
    """
    first, second = (unit(values - np.mean(values, axis=axis, keepdims=True), axis) for values in (one, other))
    return float(np.mean(np.sum((first - second) ** 2, axis=axis)) / 2)
