"""Losses that compare maps of the student with maps of the teacher, position by position.

All take one map of each for every pair of taps, [batch, channels, height, width] or [batch, features]; the larger map
is average-pooled to the smaller. The result is the mean over the pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from paredown.algorithms.losses.shapes import require_equal_channels, require_positions
from paredown_paddle.losses.logits import divergence, log_softmax
from paredown_paddle.losses.pooling import mean_over_taps, to_smaller
from paredown_paddle.losses.vectors import unit

Maps = Sequence[Any]


def feature_l2(student: Maps, teacher: Maps, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001
    """Hints: the mean squared difference of two maps (Romero et al., 2015).

    Args:
        student: Maps, with the teacher's channels.
        teacher: As many maps.
        labels: Unused.
        options: Unused.

    Raises:
        ModelError: The channels differ, or one map has positions and the other has none.
    """
    return mean_over_taps("feature_l2", _squared_difference, student, teacher)


def attention(student: Maps, teacher: Maps, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001
    """The squared distance of attention maps, mean over the batch (Zagoruyko and Komodakis, 2017).

    Args:
        student: Maps.
        teacher: As many maps; channels may differ.
        labels: Unused.
        options: Unused.

    Raises:
        ModelError: Maps have one position only.
    """
    return mean_over_taps("attention", _attention_distance, student, teacher)


def cwd(student: Maps, teacher: Maps, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001
    """T^2 * KL between softmax(teacher / T) and softmax(student / T) over positions (Shu et al., 2021).

    Args:
        student: Maps, with the teacher's channels.
        teacher: As many maps.
        labels: Unused.
        options: `temperature`, greater than zero.

    Raises:
        ModelError: The channels differ, or maps have one position only.
    """
    compare = partial(_position_divergence, temperature=float(options["temperature"]))
    return mean_over_taps("cwd", compare, student, teacher)


def _squared_difference(student: Any, teacher: Any) -> Any:
    require_equal_channels("feature_l2", student.shape, teacher.shape)
    one, other = to_smaller(student, teacher)
    return (one - other).square().mean()


def _attention_distance(student: Any, teacher: Any) -> Any:
    one, other = to_smaller(student, teacher)
    require_positions("attention", one.shape[2:])
    return (_attention(one) - _attention(other)).square().sum(1).mean()


def _attention(values: Any) -> Any:
    """[batch, channels, height, width] to [batch, positions] of length 1."""
    return unit(values.square().sum(1).flatten(1))


def _position_divergence(student: Any, teacher: Any, temperature: float) -> Any:
    require_equal_channels("cwd", student.shape, teacher.shape)
    one, other = to_smaller(student, teacher)
    require_positions("cwd", one.shape[2:])
    soft = [log_softmax(values.flatten(2) / temperature) for values in (one, other)]
    return temperature**2 * divergence(*soft)
