"""Splitting a dataset once, and normalising it by its training split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from paredown.algorithms.byte_images import ByteImages, statistics
from paredown.contracts import Array, DataSplits, FloatArray, IntArray
from paredown.errors import DataError
from paredown_vision.config import SplitLimits

Limit = int | SplitLimits | None
Item = TypeVar("Item")


def stratified(labels: IntArray, shares: tuple[float, float], seed: int) -> tuple[IntArray, IntArray, IntArray]:
    """Indices of train, validation and test, each class shared out alike; one of three or more is in each.

    Args:
        labels: [count].
        shares: The shares of validation and test.
        seed: Fixed for a dataset, never the run's: the test images of a dataset are the same for ever.
    """
    generator = np.random.default_rng(seed)
    parts: tuple[list[IntArray], list[IntArray], list[IntArray]] = ([], [], [])
    for label in np.unique(labels):
        index = generator.permutation(np.flatnonzero(labels == label))
        least = 1 if len(index) >= len(parts) else 0
        validation, test = (max(least, round(len(index) * share)) for share in shares)
        validation = min(validation, len(index) - 2 * least)
        test = min(test, len(index) - validation - least)
        for part, piece in zip(
            parts, (index[validation + test :], index[:validation], index[validation:][:test]), strict=True
        ):
            part.append(piece)
    train, validation_, test_ = (generator.permutation(np.concatenate(part)) for part in parts)
    return train, validation_, test_


def caps_of(limit: Limit) -> tuple[int | None, int | None, int | None]:
    """The most images of train, validation and test."""
    return (limit.train, limit.validation, limit.test) if isinstance(limit, SplitLimits) else (limit, limit, limit)


Part = tuple[FloatArray, Array]
"""The images of a split, in [0, 1], NCHW, and their labels."""


def make_splits(
    name: str,
    splits: tuple[Part, Part, Part],
    limit: Limit = None,
    num_classes: int | None = None,
    notes: tuple[str, ...] = (),
) -> DataSplits:
    """Caps the splits, then normalises all of them by the mean and deviation of the training images.

    Args:
        name: The dataset's.
        splits: Train, validation and test.
        limit: At most so many images a split.
        num_classes: One more than the greatest label where not given.
        notes: What was left out.

    Raises:
        DataError: There is no training image to normalise by.
    """
    caps = caps_of(limit)
    classes = int(max(labels.max() for _, labels in splits)) + 1 if num_classes is None else num_classes
    capped = [(images[:cap], labels[:cap]) for (images, labels), cap in zip(splits, caps, strict=True)]
    _require_training_images(name, len(capped[0][0]))
    axes = (0, 2, 3)
    mean = capped[0][0].mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = _not_zero(capped[0][0].std(axis=axes, keepdims=True, dtype=np.float64))
    train, validation, test = (
        (((images - mean) / deviation).astype(np.float32), labels if _is_kept(labels) else labels.astype(np.int64))
        for images, labels in capped
    )
    return DataSplits(name, train, validation, test, classes, notes)


def byte_splits(
    name: str,
    pixels: Array,
    parts: Sequence[tuple[IntArray, Array]],
    num_classes: int,
    notes: tuple[str, ...] = (),
) -> DataSplits:
    """Splits of one store of pictures, kept as bytes, normalised by the training images when they are asked for.

    Args:
        name: The dataset's.
        pixels: [any, channels, height, width], uint8.
        parts: Of train, validation and test: the places of the images in the store, and their labels.
        num_classes: How many classes there are.
        notes: What was left out.

    Raises:
        DataError: There is no training image to normalise by.
    """
    _require_training_images(name, len(parts[0][0]))
    mean, deviation = statistics(pixels, parts[0][0])
    train, validation, test = (
        (ByteImages(pixels, index, mean, _not_zero(deviation)), labels) for index, labels in parts
    )
    return DataSplits(name, train, validation, test, num_classes, notes)


def _is_kept(labels: Array) -> bool:
    """Whether labels stay in their dtype: records, and class maps of bytes."""
    return bool(labels.dtype.names) or (labels.dtype == np.uint8 and labels.ndim == 3)


def _require_training_images(name: str, count: int) -> None:
    if not count:
        raise DataError("the train split is empty", where=f"data {name}", remedy="mend the data or its limit")


def halves(count: int) -> tuple[IntArray, IntArray]:
    """The places of so many images, shared out between validation and test by a fixed draw."""
    order = np.random.default_rng(0).permutation(count)
    return np.sort(order[: (count + 1) // 2]), np.sort(order[(count + 1) // 2 :])


def fixed_orders(counts: Sequence[int]) -> list[IntArray]:
    """An order for each split by a fixed draw, so that its first images are a fair sample of sorted data."""
    random = np.random.default_rng(0)
    return [random.permutation(count) for count in counts]


def drawn(parts: Sequence[Sequence[Item]], limit: Limit) -> list[list[Item]]:
    """Each split in the order of a fixed draw, capped: of files that are sorted by class, a fair sample."""
    orders = fixed_orders([len(part) for part in parts])
    return [
        [part[place] for place in order[:cap]] for part, order, cap in zip(parts, orders, caps_of(limit), strict=True)
    ]


def _not_zero(deviation: FloatArray) -> FloatArray:
    """Deviations by which one can divide: a channel that never changes stays 0 after its mean is taken off."""
    return np.where(deviation > 0, deviation, 1.0)
