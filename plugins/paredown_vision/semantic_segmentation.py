"""The task of one class a pixel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from paredown.algorithms.objects import IGNORED
from paredown.contracts import Drawing, FloatArray, IntArray
from paredown.errors import DataError
from paredown_vision.config import SemanticSegmentationConfig
from paredown_vision.tallies import Share, metrics_of, share_of

_IMAGES = 16
"""How many images are looked at together, so that what counting needs besides the outputs does not grow with them."""


class SemanticSegmentation:
    """One class a pixel, from logits at the size of the image."""

    primary = "miou"

    def __init__(self, config: SemanticSegmentationConfig) -> None:
        self.config = config

    def metrics(self, outputs: FloatArray, labels: IntArray) -> dict[str, float]:
        """`miou`, the mean intersection over union, and `pixel_accuracy`, the share of pixels whose class is right.

        Both come from the confusion matrix n of all pixels that count, n[i, j] those of class i taken for j:
        `miou` is the mean over the classes that occur in labels or predictions of n[i, i] / (sum_j n[i, j] +
        sum_j n[j, i] - n[i, i]), `pixel_accuracy` is sum_i n[i, i] / sum_ij n[i, j] (Long, Shelhamer and Darrell,
        2015, section 5). The lower class wins a tie. Where no pixel counts both are 0.

        Args:
            outputs: Logits, [count, classes, height, width].
            labels: Class indices, 255 where a pixel does not count, [count, height, width].

        Raises:
            DataError: Labels have another shape than the logits, or are no classes of the network.
        """
        return metrics_of(self.metric_tally(), outputs, labels)

    def agreement(self, outputs: FloatArray, reference: FloatArray) -> float | None:
        """The share of pixels whose greatest logit is the same class's in both, [count, classes, height, width]."""
        return share_of(_alike, outputs, reference)

    def metric_tally(self) -> Confusion:
        """Counts `metrics` batch by batch."""
        return Confusion()

    def agreement_tally(self) -> Share:
        """Counts `agreement` batch by batch."""
        return Share(_alike)

    def drawings(self, outputs: FloatArray) -> list[Drawing]:
        """Of each image the class of each pixel, that of the greatest logit."""
        return [Drawing(class_map=one.argmax(axis=0)) for one in outputs]

    def true_drawings(self, labels: IntArray) -> list[Drawing]:
        """Of each image its map of classes, nothing where a pixel does not count."""
        return [Drawing(class_map=one) for one in labels]


class Confusion:
    """The confusion matrix of all pixels that count."""

    def __init__(self) -> None:
        self._counts: IntArray | None = None

    def update(self, outputs: FloatArray, labels: IntArray) -> None:
        """Counts a batch: logits [batch, classes, height, width], class indices [batch, height, width]."""
        found = confusion_matrix(outputs, labels)
        self._counts = found if self._counts is None else self._counts + found

    def compute(self) -> dict[str, float]:
        """The metrics of all batches."""
        if self._counts is None:
            return {"miou": 0.0, "pixel_accuracy": 0.0}
        counts = self._counts
        right, union = np.diag(counts), counts.sum(axis=0) + counts.sum(axis=1) - np.diag(counts)
        occurs = union > 0
        return {
            "miou": float(np.mean(right[occurs] / union[occurs])) if occurs.any() else 0.0,
            "pixel_accuracy": float(right.sum() / max(counts.sum(), 1)),
        }


def confusion_matrix(outputs: FloatArray, labels: IntArray) -> IntArray:
    """How many pixels of each class (rows) were taken for each class (columns), int64, [classes, classes].

    Raises:
        DataError: Labels have another shape than the logits, or are no classes of the network.
    """
    classes = outputs.shape[1]
    if labels.shape != (len(outputs), *outputs.shape[2:]):
        raise DataError(
            "the labels are not one class a pixel of the network's outputs",
            where="data",
            value=f"labels of shape {labels.shape}, outputs of shape {outputs.shape}",
            expected="labels [count, height, width], outputs [count, classes, height, width]",
            remedy="choose data with masks of the images' size",
        )
    found = np.zeros(classes * classes, np.int64)
    for part in _parts(len(outputs)):
        counts = labels[part] != IGNORED
        true, predicted = labels[part][counts].astype(np.int64), outputs[part].argmax(axis=1)[counts]
        if true.size and not 0 <= true.min() <= true.max() < classes:
            raise DataError(
                "the labels hold classes that the network does not have",
                where="data",
                value=f"classes from {true.min()} to {true.max()}",
                expected=f"0 to {classes - 1}, and {IGNORED} where a pixel does not count",
                remedy="raise `model.num_classes`, or mend the masks",
            )
        found += np.bincount(true * classes + predicted, minlength=classes * classes)
    return found.reshape(classes, classes)


def _alike(outputs: FloatArray, reference: FloatArray) -> tuple[int, int]:
    same = sum(
        int(np.count_nonzero(outputs[part].argmax(axis=1) == reference[part].argmax(axis=1)))
        for part in _parts(len(outputs))
    )
    return same, outputs.size // outputs.shape[1]


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + _IMAGES) for start in range(0, count, _IMAGES))
