"""Bilinear interpolation in NumPy, without matrix products, whose last bits differ between machines."""

from __future__ import annotations

import numpy as np

from paredown.contracts import FloatArray, IntArray


def resized(image: FloatArray, height: int, width: int) -> FloatArray:
    """An image [rows, columns] at another size: bilinear between the centres of pixels; float64."""
    rows, row_shares = _places(height, image.shape[0])
    columns, column_shares = _places(width, image.shape[1])
    tall = _between(image.astype(np.float64), rows, row_shares)
    return _between(tall.T, columns, column_shares).T


def _places(target: int, source: int) -> tuple[IntArray, FloatArray]:
    """For each position of the target the one of the source below it, and the share of the one after that."""
    places = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    below = places.astype(np.int64)
    return below, np.asarray(places - below, np.float64)


def _between(values: FloatArray, below: IntArray, shares: FloatArray) -> FloatArray:
    above = np.minimum(below + 1, len(values) - 1)
    return np.asarray(values[below] * (1 - shares[:, None]) + values[above] * shares[:, None])
