"""Training losses on logits; `paredown.algorithms.losses` holds the references that they are tested against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional


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
    divergence = functional.kl_div(
        functional.log_softmax(student / temperature, dim=1),
        functional.log_softmax(teacher / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return divergence * temperature**2
