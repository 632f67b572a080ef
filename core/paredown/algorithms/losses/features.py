"""Losses that compare maps of the student with maps of the teacher, position by position.

All take one map of each for every pair of taps, [batch, channels, height, width] or [batch, features]; the larger map
is average-pooled to the smaller. The result is the mean over the pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from paredown.algorithms.losses.logits import divergence, log_softmax
from paredown.algorithms.losses.pooling import mean_over_taps, to_smaller
from paredown.algorithms.losses.shapes import require_equal_channels, require_positions
from paredown.algorithms.losses.vectors import unit
from paredown.contracts import FloatArray, IntArray

Maps = Sequence[FloatArray]


def feature_l2(student: Maps, teacher: Maps, labels: IntArray | None, options: Mapping[str, Any]) -> float:  # noqa: ARG001
    """Hints: the mean squared difference of two maps (Romero et al., 2015).

    Args:
        student: Maps, with the teacher's channels: who calls has projected them.
        teacher: As many maps.
        labels: Unused.
        options: Unused.

    Raises:
        ModelError: The channels differ, or one map has positions and the other has none.
    """
    return mean_over_taps("feature_l2", _squared_difference, student, teacher)


def attention(student: Maps, teacher: Maps, labels: IntArray | None, options: Mapping[str, Any]) -> float:  # noqa: ARG001
    """The squared distance of attention maps, mean over the batch (Zagoruyko and Komodakis, 2017).

    An attention map is the sum of squares over the channels, of length 1 over the positions. Channels may differ.

    Args:
        student: Maps.
        teacher: As many maps.
        labels: Unused.
        options: Unused.

    Raises:
        ModelError: Maps have one position only.
    """
    return mean_over_taps("attention", _attention_distance, student, teacher)


def cwd(student: Maps, teacher: Maps, labels: IntArray | None, options: Mapping[str, Any]) -> float:  # noqa: ARG001
    """T^2 * KL between softmax(teacher / T) and softmax(student / T) over positions (Shu et al., 2021).

    The mean over the channels and the batch.

    Args:
        student: Maps, with the teacher's channels: who calls has projected them.
        teacher: As many maps.
        labels: Unused.
        options: `temperature`, greater than zero.

    Raises:
        ModelError: The channels differ, or maps have one position only.
    """
    compare = partial(_position_divergence, temperature=float(options["temperature"]))
    return mean_over_taps("cwd", compare, student, teacher)


def _squared_difference(student: FloatArray, teacher: FloatArray) -> float:
    require_equal_channels("feature_l2", student.shape, teacher.shape)
    one, other = to_smaller(student, teacher)
    return float(np.mean((one - other) ** 2))


def _attention_distance(student: FloatArray, teacher: FloatArray) -> float:
    one, other = to_smaller(student, teacher)
    require_positions("attention", one.shape[2:])
    return float(np.mean(np.sum((_attention(one) - _attention(other)) ** 2, axis=1)))


def _attention(values: FloatArray) -> FloatArray:
    """[batch, channels, height, width] to [batch, positions] of length 1."""
    return unit(np.sum(values**2, axis=1).reshape(len(values), -1))


def _position_divergence(student: FloatArray, teacher: FloatArray, temperature: float) -> float:
    require_equal_channels("cwd", student.shape, teacher.shape)
    one, other = to_smaller(student, teacher)
    require_positions("cwd", one.shape[2:])
    soft = [log_softmax(values.reshape(*values.shape[:2], -1) / temperature) for values in (one, other)]
    return temperature**2 * divergence(*soft)
