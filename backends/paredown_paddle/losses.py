"""The losses of distillation, as Paddle computes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paredown.errors import UnsupportedError
from paredown_paddle.framework import paddle


def hard_label(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001 - one signature
    """Cross entropy of the student's logits [batch, classes] with the labels [batch], mean over the batch."""
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
    log_student = paddle.nn.functional.log_softmax(student / temperature, axis=-1)
    log_teacher = paddle.nn.functional.log_softmax(teacher / temperature, axis=-1)
    divergence = (log_teacher.exp() * (log_teacher - log_student)).sum(axis=-1)
    return divergence.mean() * temperature**2
