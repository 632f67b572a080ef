"""NumPy references of the training losses; the backends' own implementations are tested against them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

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
    soft = log_softmax(teacher / temperature)
    divergence = np.sum(np.exp(soft) * (soft - log_softmax(student / temperature)), axis=1)
    return float(temperature**2 * np.mean(divergence))


def log_softmax(logits: FloatArray) -> FloatArray:
    """log(softmax(logits)) along the last axis, in float64, shifted by the maximum so that nothing overflows."""
    shifted = logits.astype(np.float64) - np.max(logits, axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True)))
