"""Splitting a dataset once, and normalising it by its training split."""

from __future__ import annotations

import numpy as np

from paredown.contracts import Array, DataSplits, FloatArray, IntArray
from paredown_vision.config import SplitLimits

Limit = int | SplitLimits | None


def stratified(labels: IntArray, shares: tuple[float, float], seed: int) -> tuple[IntArray, IntArray, IntArray]:
    """Indices of train, validation and test, each class shared out alike.

    Args:
        labels: [count].
        shares: The shares of validation and test.
        seed: Fixed for a dataset, never the run's: the test images of a dataset are the same for ever.
    """
    generator = np.random.default_rng(seed)
    parts: tuple[list[IntArray], list[IntArray], list[IntArray]] = ([], [], [])
    for label in np.unique(labels):
        index = generator.permutation(np.flatnonzero(labels == label))
        validation, test = (round(len(index) * share) for share in shares)
        for part, piece in zip(
            parts, (index[validation + test :], index[:validation], index[validation:][:test]), strict=True
        ):
            part.append(piece)
    train, validation_, test_ = (generator.permutation(np.concatenate(part)) for part in parts)
    return train, validation_, test_


Part = tuple[FloatArray, Array]
"""The images of a split, in [0, 1], NCHW, and their labels."""


def make_splits(
    name: str, splits: tuple[Part, Part, Part], limit: Limit = None, num_classes: int | None = None
) -> DataSplits:
    """Caps the splits, then normalises all of them by the mean and deviation of the training images.

    Args:
        name: The dataset's.
        splits: Train, validation and test.
        limit: At most so many images a split.
        num_classes: One more than the greatest label where not given.
    """
    caps = (limit.train, limit.validation, limit.test) if isinstance(limit, SplitLimits) else (limit,) * 3
    classes = int(max(labels.max() for _, labels in splits)) + 1 if num_classes is None else num_classes
    capped = [(images[:cap], labels[:cap]) for (images, labels), cap in zip(splits, caps, strict=True)]
    axes = (0, 2, 3)
    mean = capped[0][0].mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = capped[0][0].std(axis=axes, keepdims=True, dtype=np.float64)
    train, validation, test = (
        (((images - mean) / deviation).astype(np.float32), labels if labels.dtype.names else labels.astype(np.int64))
        for images, labels in capped
    )
    return DataSplits(name, train, validation, test, classes)
