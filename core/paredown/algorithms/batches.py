"""The order of training images: one for every backend, from the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from paredown.algorithms.augmentation import draw_changes
from paredown.contracts import Array, Batch, FloatArray, Images, IntArray
from paredown.spec.training import AugmentConfig


def epoch_order(count: int, seed: int, epoch: int) -> IntArray:
    """A permutation of `count` indices that depends on the seed and the epoch and on nothing else."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def batch_count(count: int, batch_size: int, shards: int = 1) -> int:
    """How many full batches an epoch has on each shard; at least one, so that small data trains too."""
    return max(1, count // (batch_size * shards))


def epoch_batches(
    data: tuple[Images, Array],
    batch_size: int,
    seed: int,
    epoch: int,
    *,
    soft_labels: FloatArray | None = None,
    augment: AugmentConfig | None = None,
    shard: int = 0,
    shards: int = 1,
) -> Iterator[Batch]:
    """The batches of one epoch, in order. What does not fill a batch on every shard waits for the next epoch's order.

    Args:
        data: Images [count, channels, height, width], and labels with as many rows.
        batch_size: Images a batch, on each shard.
        seed: The run's seed.
        epoch: Counted from zero.
        soft_labels: A teacher's outputs for all images, [count, classes]; each batch then holds its own as float32.
        augment: How images and labels are changed, where they are.
        shard: Which of the shards this process is.
        shards: How many processes share the epoch.
    """
    images, labels = data
    order = epoch_order(len(labels), seed, epoch)
    changes = None if augment is None else draw_changes(augment, len(labels), seed, epoch)
    for batch in range(batch_count(len(labels), batch_size, shards)):
        start = (batch * shards + shard) * batch_size
        index = order[start : start + batch_size]
        pair = images[index], batch_labels(labels[index])
        if changes is not None:
            pair = changes.apply(*pair, index)
        if soft_labels is None:
            yield pair
        else:
            yield *pair, np.asarray(soft_labels[index], dtype=np.float32)


def batch_labels(labels: Array) -> Array:
    """The labels of a batch as losses and tasks take them: class maps that are kept as bytes become int64."""
    return labels.astype(np.int64) if labels.dtype == np.uint8 else labels


EVALUATED_IMAGES, EVALUATED_PIXELS = 128, 2**22
"""The most images, and the most pixels of them, that are evaluated at once."""


def evaluation_batch(images: Images) -> int:
    """How many images are evaluated at once: fewer where they are large, so that maps of many classes fit in memory."""
    height, width = images.shape[2:]
    return max(1, min(EVALUATED_IMAGES, EVALUATED_PIXELS // (height * width)))


def in_order(images: Images, batch_size: int) -> Iterator[FloatArray]:
    """All images in their own order, the last batch as small as it is."""
    for start in range(0, len(images), batch_size):
        yield images[start : start + batch_size]
