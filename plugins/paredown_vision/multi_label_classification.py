"""The task of several classes an image."""

from __future__ import annotations

import numpy as np

from paredown.contracts import FloatArray, IntArray
from paredown_vision.config import MultiLabelClassificationConfig


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
        from sklearn.metrics import average_precision_score

        occurs = labels.any(axis=0)
        if not occurs.any():
            return {"map": 0.0}
        scores = outputs[:, : labels.shape[1]][:, occurs]
        return {"map": float(average_precision_score(labels[:, occurs], scores, average="macro"))}

    def agreement(self, outputs: FloatArray, reference: FloatArray) -> float:
        """The share of (image, class) that both take for present, a logit above 0, or both for absent."""
        return float(np.mean((outputs > 0) == (reference > 0)))
