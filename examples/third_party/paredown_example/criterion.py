"""The criterion itself: for channels and for single weights."""

from __future__ import annotations

import numpy as np

from paredown.contracts import ChannelSlices, FloatArray
from paredown_example.plugin import LpCriterion


def lp(slices: ChannelSlices, options: LpCriterion) -> FloatArray:
    """The mean over members of sum(|w|^p).

    Args:
        slices: Its `weights`: one array a member, [channels, elements], float64.
        options: `p`.

    Returns:
        [channels], float64; greater is more important.
    """
    return np.asarray(np.mean([_powers(values, options).sum(axis=1) for values in slices.weights], axis=0))


def lp_weights(weight: FloatArray, options: LpCriterion, random: np.random.Generator) -> FloatArray:  # noqa: ARG001
    """|w|^p for each weight.

    Args:
        weight: One layer's weight, any shape, float64.
        options: `p`.
        random: Unused.

    Returns:
        The shape of `weight`, float64; greater is more important.
    """
    return _powers(weight, options)


def _powers(values: FloatArray, options: LpCriterion) -> FloatArray:
    return np.asarray(np.power(np.abs(values), options.p))
