"""The classification task."""

from __future__ import annotations

import numpy as np

from paredown.contracts import FloatArray, IntArray
from paredown_vision.config import ClassificationConfig


class Classification:
    """One class an image."""

    primary = "top1"

    def __init__(self, config: ClassificationConfig) -> None:
        self.config = config

    def metrics(self, outputs: FloatArray, labels: IntArray) -> dict[str, float]:
        """`top1`, and for more than five classes `top5`: the share of images with the label among so many best logits.

        The lower class wins a tie.

        Args:
            outputs: Logits, [count, classes].
            labels: [count].
        """
        own = outputs[np.arange(len(labels)), labels][:, None]
        is_later = np.arange(outputs.shape[1]) > labels[:, None]
        # What is not less counts as greater, so that a NaN is never right.
        rank = outputs.shape[1] - 1 - np.sum((outputs < own) | ((outputs == own) & is_later), axis=1)
        tops = (1, 5) if outputs.shape[1] > 5 else (1,)
        return {f"top{count}": float(np.mean(rank < count)) for count in tops}

    def agreement(self, outputs: FloatArray, reference: FloatArray) -> float:
        """The share of images whose greatest logit is the same class's in both, [count, classes]."""
        return float(np.mean(np.argmax(outputs, axis=1) == np.argmax(reference, axis=1)))
