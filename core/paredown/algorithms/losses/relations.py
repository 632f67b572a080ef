"""Losses that compare relations inside the student with the same relations inside the teacher.

All take one map of each for every pair of taps, [batch, channels, height, width] or [batch, features].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from paredown.algorithms.losses.pooling import mean_over_taps, to_smaller
from paredown.algorithms.losses.shapes import require_equal_channels, require_taps
from paredown.algorithms.losses.vectors import EPSILON, unit
from paredown.contracts import FloatArray, IntArray

Maps = Sequence[FloatArray]

NEAR = 1e-6
"""Joins a squared distance, in units of the batch's mean, under the root: images nearer than 1e-3 count as equal."""


def fsp(student: Maps, teacher: Maps, labels: IntArray | None, options: Mapping[str, Any]) -> float:  # noqa: ARG001
    """The mean squared difference of flows from each tap to the next (Yim et al., 2017); mean over the steps.

    A flow is [channels, channels of the next tap]: products of the two, mean over positions. Of the two taps the larger
    map is average-pooled to the smaller.

    Args:
        student: Two maps or more, from the input to the output.
        teacher: As many maps, with the same channels.
        labels: Unused.
        options: Unused.

    Raises:
        ModelError: There are fewer than two taps, or the channels differ.
    """
    require_taps("fsp", len(student), len(teacher), least=2)
    for one, other in zip(student, teacher, strict=True):
        require_equal_channels("fsp", one.shape, other.shape)
    pairs = zip(_flows(student), _flows(teacher), strict=True)
    return float(np.mean([np.mean((one - other) ** 2) for one, other in pairs]))


def similarity(student: Maps, teacher: Maps, labels: IntArray | None, options: Mapping[str, Any]) -> float:  # noqa: ARG001
    """The mean squared difference of how alike the images of a batch are (Tung and Mori, 2019); mean over the taps.

    Likeness is the inner product of the images' maps, [batch, batch], its rows of length 1. Maps may differ in every
    size but the batch's. A batch of one has nothing to compare: 0.

    Args:
        student: Maps.
        teacher: As many maps.
        labels: Unused.
        options: Unused.
    """
    return mean_over_taps("similarity", _likeness_difference, student, teacher)


def rkd(student: Maps, teacher: Maps, labels: IntArray | None, options: Mapping[str, Any]) -> float:  # noqa: ARG001
    """Distance * Huber(distances) + angle * Huber(angles) of the images of a batch (Park et al., 2019).

    Distances between two images are divided by their mean; an angle is the cosine at one image between two others. The
    mean over all pairs, over all triples of distinct images, and over the taps. Maps may differ in every size but the
    batch's. A batch of one has no distances, a batch of two no angles: these are 0.

    Args:
        student: Maps.
        teacher: As many maps.
        labels: Unused.
        options: `distance` and `angle`, the factors of the two.
    """
    compare = partial(_relation_difference, distance=float(options["distance"]), angle=float(options["angle"]))
    return mean_over_taps("rkd", compare, student, teacher)


def _flows(maps: Maps) -> list[FloatArray]:
    """For each tap but the last, [batch, channels, channels of the next]."""
    return [_flow(*to_smaller(np.asarray(one, np.float64), np.asarray(two, np.float64))) for one, two in pairwise(maps)]


def _flow(first: FloatArray, second: FloatArray) -> FloatArray:
    rows, columns = (values.reshape(*values.shape[:2], -1) for values in (first, second))
    return np.asarray(rows @ columns.swapaxes(1, 2) / rows.shape[2])


def _likeness_difference(student: FloatArray, teacher: FloatArray) -> float:
    return float(np.mean((_likeness(student) - _likeness(teacher)) ** 2))


def _likeness(values: FloatArray) -> FloatArray:
    flat = values.reshape(len(values), -1)
    return unit(flat @ flat.T)


def _relation_difference(student: FloatArray, teacher: FloatArray, distance: float, angle: float) -> float:
    if len(student) < 2:
        return 0.0
    one, other = _squared_distances(student), _squared_distances(teacher)
    return distance * _distance_difference(one, other) + angle * _angle_difference(one, other)


def _squared_distances(values: FloatArray) -> FloatArray:
    """[batch, batch], divided by their mean over the pairs.

    From inner products, as [batch, batch, features] would not fit in memory; centred, so that little is cancelled.
    """
    flat = values.reshape(len(values), -1)
    flat = flat - np.mean(flat, axis=0)
    products = flat @ flat.T
    squares = np.diagonal(products)
    found = np.maximum(squares[:, None] + squares - 2 * products, 0)
    return np.asarray(found / (_mean(found, _others(len(flat))) + EPSILON))


def _distance_difference(student: FloatArray, teacher: FloatArray) -> float:
    pairs = _others(len(student))
    one, other = np.sqrt(student + NEAR), np.sqrt(teacher + NEAR)
    return _mean(_huber(one / _mean(one, pairs) - other / _mean(other, pairs)), pairs)


def _angle_difference(student: FloatArray, teacher: FloatArray) -> float:
    pairs = _others(len(student))
    triples = pairs[:, :, None] * pairs[None, :, :] * pairs[:, None, :]
    return _mean(_huber(_cosines(student) - _cosines(teacher)), triples)


def _cosines(squared: FloatArray) -> FloatArray:
    """[i, j, k]: the cosine at image j between i and k, by the law of cosines."""
    sides = np.sqrt(squared + NEAR)
    products = squared[:, :, None] + squared[None, :, :] - squared[:, None, :]
    return np.asarray(products / (2 * sides[:, :, None] * sides[None, :, :]))


def _others(count: int) -> FloatArray:
    """1 where two images are not the same, [batch, batch]."""
    return np.asarray(1 - np.eye(count))


def _mean(values: FloatArray, chosen: FloatArray) -> float:
    """The mean of the values that `chosen` is 1 for; 0 where it is 1 for none."""
    return float(np.sum(values * chosen) / max(np.sum(chosen), 1))


def _huber(difference: FloatArray) -> FloatArray:
    size = np.abs(difference)
    return np.where(size <= 1, size**2 / 2, size - 0.5)
