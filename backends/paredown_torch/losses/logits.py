"""Losses on the outputs of the student and the teacher: logits, [batch, classes], or one class a pixel.

`kl` and `soft_cross_entropy` take [batch, classes, height, width] besides: each pixel counts as an image.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from paredown_torch.losses.vectors import unit


def hard_label(student: Tensor, teacher: Tensor | None, labels: Tensor, options: Mapping[str, Any]) -> Tensor:  # noqa: ARG001
    """Cross entropy with the labels, mean over the batch.

    Args:
        student: Logits, [batch, classes].
        teacher: Unused.
        labels: Class indices, int64, [batch].
        options: Unused.
    """
    return functional.cross_entropy(student, labels)


def kl(student: Tensor, teacher: Tensor | None, labels: Tensor, options: Mapping[str, Any]) -> Tensor:  # noqa: ARG001
    """Soft labels: T^2 * KL(softmax(teacher / T) || softmax(student / T)), mean over the batch (Hinton et al., 2015).

    Args:
        student: Logits, [batch, classes].
        teacher: Logits, [batch, classes].
        labels: Unused.
        options: `temperature`, greater than zero.
    """
    assert teacher is not None, "the engine gives this loss a teacher"
    temperature = float(options["temperature"])
    student, teacher = rows(student), rows(teacher)
    return temperature**2 * divergence(log_softmax(student / temperature), log_softmax(teacher / temperature))


def mse(student: Tensor, teacher: Tensor, labels: Tensor, options: Mapping[str, Any]) -> Tensor:  # noqa: ARG001
    """The mean squared difference of logits (Ba and Caruana, 2014).

    Args:
        student: Logits, [batch, classes].
        teacher: Logits, [batch, classes].
        labels: Unused.
        options: Unused.
    """
    return (student - teacher).square().mean()


def soft_cross_entropy(student: Tensor, teacher: Tensor, labels: Tensor, options: Mapping[str, Any]) -> Tensor:  # noqa: ARG001
    """-T^2 * sum(softmax(teacher / T) * log softmax(student / T)), mean over the batch (Hinton et al., 2015).

    Args:
        student: Logits, [batch, classes].
        teacher: Logits, [batch, classes].
        labels: Unused.
        options: `temperature`, greater than zero.
    """
    temperature = float(options["temperature"])
    student, teacher = rows(student), rows(teacher)
    soft = log_softmax(teacher / temperature).exp()
    return -(temperature**2) * (soft * log_softmax(student / temperature)).sum(-1).mean()


def dkd(student: Tensor, teacher: Tensor, labels: Tensor, options: Mapping[str, Any]) -> Tensor:
    """T^2 * (alpha * TCKD + beta * NCKD), mean over the batch (Zhao et al., 2022).

    Args:
        student: Logits, [batch, classes].
        teacher: Logits, [batch, classes].
        labels: Class indices, int64, [batch].
        options: `alpha`, `beta`, and `temperature`, greater than zero.
    """
    temperature = float(options["temperature"])
    target, others = _decoupled(student / temperature, labels)
    taught_target, taught_others = _decoupled(teacher / temperature, labels)
    alpha, beta = float(options["alpha"]), float(options["beta"])
    return temperature**2 * (alpha * divergence(target, taught_target) + beta * divergence(others, taught_others))


def dist(student: Tensor, teacher: Tensor, labels: Tensor, options: Mapping[str, Any]) -> Tensor:  # noqa: ARG001
    """T^2 * (beta * inter + gamma * intra), each a mean of 1 - Pearson's correlation (Huang et al., 2022).

    Args:
        student: Logits, [batch, classes].
        teacher: Logits, [batch, classes].
        labels: Unused.
        options: `beta`, `gamma`, and `temperature`, greater than zero.
    """
    temperature = float(options["temperature"])
    one, other = (functional.softmax(logits / temperature, dim=1) for logits in (student, teacher))
    inter, intra = (_uncorrelated(one, other, axis) for axis in (1, 0))
    return temperature**2 * (float(options["beta"]) * inter + float(options["gamma"]) * intra)


def divergence(log_student: Tensor, log_teacher: Tensor) -> Tensor:
    """KL(teacher || student) along the last axis, of logarithms of probabilities; the mean over all other axes."""
    return (log_teacher.exp() * (log_teacher - log_student)).sum(-1).mean()


def rows(logits: Tensor) -> Tensor:
    """Logits [batch, classes, ...] as [batch * positions, classes]: every position as an image of its own."""
    return logits if logits.ndim == 2 else logits.movedim(1, -1).reshape(-1, logits.shape[1])


def log_softmax(logits: Tensor) -> Tensor:
    """log(softmax(logits)) along the last axis."""
    return functional.log_softmax(logits, dim=-1)


def _decoupled(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Log probabilities: of (labelled class, all others together), [batch, 2]; among the others, [batch, the rest]."""
    is_label = functional.one_hot(labels, logits.shape[1]).bool()
    others = logits[~is_label].reshape(len(logits), -1)
    target = torch.stack([logits[is_label], torch.logsumexp(others, dim=1)], dim=1)
    return log_softmax(target), log_softmax(others)


def _uncorrelated(one: Tensor, other: Tensor, axis: int) -> Tensor:
    """The mean of 1 - Pearson's correlation along an axis: half the squared distance of centred vectors of length 1."""
    first, second = (unit(values - values.mean(axis, keepdim=True), axis) for values in (one, other))
    return (first - second).square().sum(axis).mean() / 2
