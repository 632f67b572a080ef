"""Images that are kept as bytes, a quarter of what float32 takes, and given as numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from paredown.contracts import Array, FloatArray, IntArray

_PIECE = 256


class ByteImages:
    """Images [count, channels, height, width] of a split, normalised when they are asked for.

    Any index that NumPy takes along the first axis gives float32: (value - mean) / deviation, channel by channel.
    """

    dtype = np.dtype(np.float32)
    ndim = 4

    def __init__(self, pixels: Array, index: IntArray, mean: FloatArray, deviation: FloatArray) -> None:
        """Which images of a store they are.

        Args:
            pixels: The store, [any, channels, height, width], uint8, in memory or mapped from a file.
            index: The images' places in the store, in their order.
            mean: Of each channel of the training images, in bytes' units.
            deviation: Of each channel; none is zero.
        """
        self._pixels = pixels
        self._index = index
        self._mean = np.asarray(mean, np.float32).reshape(-1, 1, 1)
        self._factor = np.asarray(1.0 / np.asarray(deviation, np.float64), np.float32).reshape(-1, 1, 1)

    @property
    def shape(self) -> tuple[int, ...]:
        """(count, channels, height, width)."""
        return (len(self._index), *self._pixels.shape[1:])

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: Any) -> FloatArray:
        images = np.subtract(self._pixels[self._index[index]], self._mean, dtype=np.float32)
        return np.asarray(np.multiply(images, self._factor, out=images))

    def __iter__(self) -> Iterator[FloatArray]:
        return (self[place] for place in range(len(self)))

    def content(self) -> Iterator[bytes]:
        """All that the numbers depend on, in pieces."""
        yield self._mean.tobytes()
        yield self._factor.tobytes()
        for start in range(0, len(self), _PIECE):
            yield self._pixels[self._index[start : start + _PIECE]].tobytes()


def statistics(pixels: Array, index: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each channel over some images of a store, exact: from how often each byte occurs.

    Args:
        pixels: [any, channels, height, width], uint8.
        index: The places of the images.
    """
    counts = np.zeros((pixels.shape[1], 256), np.int64)
    for start in range(0, len(index), _PIECE):
        piece = pixels[index[start : start + _PIECE]]
        for channel in range(len(counts)):
            counts[channel] += np.bincount(piece[:, channel].ravel(), minlength=256)
    values = np.arange(256, dtype=np.float64)
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = share @ values
    return mean, np.sqrt((share * (values - mean[:, None]) ** 2).sum(axis=1))
