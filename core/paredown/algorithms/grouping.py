"""The rows of an array that share a scale: the whole array, one index of an axis, or a group of consecutive numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from paredown.contracts import Array, FloatArray


def row_count(shape: tuple[int, ...], axis: int | None, group_size: int | None) -> int:
    """How many scales an array of this shape has."""
    if axis is None:
        return 1
    if group_size is None:
        return shape[axis]
    return shape[0] * -(-_length(shape) // group_size)


def in_rows(values: FloatArray, axis: int | None, group_size: int | None) -> FloatArray:
    """[scales, numbers that share one], float64; where the last group of an index is shorter, NaN fills it up."""
    if axis is None:
        return values.reshape(1, -1)
    if group_size is None:
        return np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
    flat = values.reshape(len(values), -1)
    group_size = min(group_size, flat.shape[1])
    missing = -flat.shape[1] % group_size
    padded = np.pad(flat, ((0, 0), (0, missing)), constant_values=np.nan)
    return padded.reshape(-1, group_size)


def per_element(numbers: Array, shape: tuple[int, ...], axis: int | None, group_size: int | None) -> Array:
    """One number for each row, shaped so that it broadcasts over an array of this shape."""
    if axis is None:
        return numbers.reshape([1] * len(shape))
    if group_size is None:
        return numbers.reshape([len(numbers) if dimension == axis else 1 for dimension in range(len(shape))])
    length = _length(shape)
    repeated = np.repeat(numbers.reshape(shape[0], -1), min(group_size, length), axis=1)[:, :length]
    return repeated.reshape(shape)


def _length(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape[1:], dtype=np.int64))
