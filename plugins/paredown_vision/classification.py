"""The classification task."""

from __future__ import annotations

from collections import Counter

import numpy as np

from paredown.contracts import FloatArray, IntArray
from paredown_vision.config import ClassificationConfig
from paredown_vision.tallies import Share, metrics_of, share_of


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
        return metrics_of(self.metric_tally(), outputs, labels)

    def agreement(self, outputs: FloatArray, reference: FloatArray) -> float | None:
        """The share of images whose greatest logit is the same class's in both, [count, classes]."""
        return share_of(_alike, outputs, reference)

    def metric_tally(self) -> TopCounts:
        """Counts `metrics` batch by batch."""
        return TopCounts()

    def agreement_tally(self) -> Share:
        """Counts `agreement` batch by batch."""
        return Share(_alike)


class TopCounts:
    """How many images have their label among the best logits."""

    def __init__(self) -> None:
        self._images = 0
        self._right: Counter[int] = Counter()

    def update(self, outputs: FloatArray, labels: IntArray) -> None:
        """Counts a batch: logits [batch, classes], labels [batch]."""
        own = outputs[np.arange(len(labels)), labels][:, None]
        is_later = np.arange(outputs.shape[1]) > labels[:, None]
        # What is not less counts as greater, so that a NaN is never right.
        rank = outputs.shape[1] - 1 - np.sum((outputs < own) | ((outputs == own) & is_later), axis=1)
        self._images += len(labels)
        for count in (1, 5) if outputs.shape[1] > 5 else (1,):
            self._right[count] += int(np.count_nonzero(rank < count))

    def compute(self) -> dict[str, float]:
        """The shares of all images."""
        return {f"top{count}": right / self._images for count, right in self._right.items()}


def _alike(outputs: FloatArray, reference: FloatArray) -> tuple[int, int]:
    return int(np.count_nonzero(np.argmax(outputs, axis=1) == np.argmax(reference, axis=1))), len(outputs)
