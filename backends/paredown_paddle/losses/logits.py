"""Losses on the outputs of the student and the teacher: logits, [batch, classes], or one class a pixel.

`kl` and `soft_cross_entropy` take [batch, classes, height, width] besides: each pixel counts as an image.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paredown.errors import UnsupportedError
from paredown_paddle.framework import paddle
from paredown_paddle.losses.vectors import unit


def hard_label(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001 - one signature
    """Cross entropy of the student's logits [batch, classes] with the labels [batch], mean over the batch.

    Paddle counts no image for more than 64 on a CPU; the gradient is exact.
    """
    return paddle.nn.functional.cross_entropy(student, labels)


def kl(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001 - one signature
    """Soft labels: T^2 * KL(teacher / T || student / T), mean over the batch (Hinton et al., 2015).

    Raises:
        UnsupportedError: When there is no teacher.
    """
    if teacher is None:
        raise UnsupportedError(
            "the loss needs a teacher",
            where="losses.kl",
            expected="a distill step",
            remedy="use hard_label, or a step of kind distill",
        )
    temperature = float(options["temperature"])
    student, teacher = rows(student), rows(teacher)
    return temperature**2 * divergence(log_softmax(student / temperature), log_softmax(teacher / temperature))


def mse(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001
    """The mean squared difference of logits (Ba and Caruana, 2014).

    Args:
        student: Logits, [batch, classes].
        teacher: Logits, [batch, classes].
        labels: Unused.
        options: Unused.
    """
    return (student - teacher).square().mean()


def soft_cross_entropy(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001
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


def dkd(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:
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


def dist(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001
    """T^2 * (beta * inter + gamma * intra), each a mean of 1 - Pearson's correlation (Huang et al., 2022).

    Args:
        student: Logits, [batch, classes].
        teacher: Logits, [batch, classes].
        labels: Unused.
        options: `beta`, `gamma`, and `temperature`, greater than zero.
    """
    temperature = float(options["temperature"])
    one, other = (paddle.nn.functional.softmax(logits / temperature, axis=1) for logits in (student, teacher))
    inter, intra = (_uncorrelated(one, other, axis) for axis in (1, 0))
    return temperature**2 * (float(options["beta"]) * inter + float(options["gamma"]) * intra)


def divergence(log_student: Any, log_teacher: Any) -> Any:
    """KL(teacher || student) along the last axis, of logarithms of probabilities; the mean over all other axes."""
    return (log_teacher.exp() * (log_teacher - log_student)).sum(-1).mean()


def rows(logits: Any) -> Any:
    """Logits [batch, classes, ...] as [batch * positions, classes]: every position as an image of its own."""
    return logits if logits.ndim == 2 else paddle.moveaxis(logits, 1, -1).reshape([-1, logits.shape[1]])


def log_softmax(logits: Any) -> Any:
    """log(softmax(logits)) along the last axis; Paddle's own is nowhere less than -64 on a CPU."""
    shifted = logits - logits.max(axis=-1, keepdim=True).detach()
    return shifted - paddle.logsumexp(shifted, axis=-1, keepdim=True)


def _decoupled(logits: Any, labels: Any) -> tuple[Any, Any]:
    """Log probabilities: of (labelled class, all others together), [batch, 2]; among the others, [batch, the rest]."""
    is_label = paddle.nn.functional.one_hot(labels, logits.shape[1]).astype("bool")
    others = logits[~is_label].reshape([len(logits), -1])
    target = paddle.stack([logits[is_label], paddle.logsumexp(others, axis=1)], axis=1)
    return log_softmax(target), log_softmax(others)


def _uncorrelated(one: Any, other: Any, axis: int) -> Any:
    """The mean of 1 - Pearson's correlation along an axis: half the squared distance of centred vectors of length 1."""
    first, second = (unit(values - values.mean(axis, keepdim=True), axis) for values in (one, other))
    return (first - second).square().sum(axis).mean() / 2
