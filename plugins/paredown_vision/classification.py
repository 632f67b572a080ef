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
        """`top1`: the share of images whose greatest logit is the label's; the lower class wins a tie.

        Args:
            outputs: Logits, [count, classes].
            labels: [count].
        """
        return {"top1": float(np.mean(np.argmax(outputs, axis=1) == labels))}

    def agreement(self, outputs: FloatArray, reference: FloatArray) -> float:
        """The share of images whose greatest logit is the same class's in both, [count, classes]."""
        return float(np.mean(np.argmax(outputs, axis=1) == np.argmax(reference, axis=1)))
