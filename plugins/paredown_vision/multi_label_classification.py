"""The task of several classes an image."""

from __future__ import annotations

import numpy as np

from paredown.contracts import FloatArray, IntArray
from paredown_vision.config import MultiLabelClassificationConfig
from paredown_vision.tallies import Share, metrics_of, share_of


class MultiLabelClassification:
    """Any number of classes an image, each on its own."""

    primary = "map"

    def __init__(self, config: MultiLabelClassificationConfig) -> None:
        self.config = config

    def metrics(self, outputs: FloatArray, labels: IntArray) -> dict[str, float]:
        """`map`: the mean over the classes that occur of the average precision of their logits; 0 if none occurs.

        The average precision of a class is the sum over its images, ordered by logit, of (recall gained) * precision,
        without interpolation, as scikit-learn computes it.

        Args:
            outputs: Logits, [count, classes].
            labels: 0 or 1, [count, classes].
        """
        return metrics_of(self.metric_tally(), outputs, labels)

    def agreement(self, outputs: FloatArray, reference: FloatArray) -> float | None:
        """The share of (image, class) that both take for present, a logit above 0, or both for absent."""
        return share_of(_alike, outputs, reference)

    def metric_tally(self) -> Scores:
        """Counts `metrics` batch by batch."""
        return Scores()

    def agreement_tally(self) -> Share:
        """Counts `agreement` batch by batch."""
        return Share(_alike)


class Scores:
    """The logits of every image: their order over all images is what the metric reads."""

    def __init__(self) -> None:
        self._outputs: list[FloatArray] = []
        self._labels: list[IntArray] = []

    def update(self, outputs: FloatArray, labels: IntArray) -> None:
        """Keeps a batch: logits [batch, classes], labels of 0 and 1 [batch, classes]."""
        self._outputs.append(outputs)
        self._labels.append(labels)

    def compute(self) -> dict[str, float]:
        """The mean average precision."""
        from sklearn.metrics import average_precision_score

        outputs, labels = np.concatenate(self._outputs), np.concatenate(self._labels)
        occurs = labels.any(axis=0)
        if not occurs.any():
            return {"map": 0.0}
        return {"map": float(average_precision_score(labels[:, occurs], outputs[:, occurs], average="macro"))}


def _alike(outputs: FloatArray, reference: FloatArray) -> tuple[int, int]:
    return int(np.count_nonzero((outputs > 0) == (reference > 0))), outputs.size
