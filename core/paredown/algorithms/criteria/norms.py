"""Magnitude: norms of a channel's slices, and of single weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from paredown.contracts import ChannelSlices, FloatArray


def l1(slices: ChannelSlices, options: Any) -> FloatArray:  # noqa: ARG001
    """The mean over members of sum |w| (Li et al., 2017, "Pruning Filters for Efficient ConvNets").

    Args:
        slices: Its `weights`, [channels, elements], float64.
        options: Unused.

    Returns:
        [channels], float64.
    """
    return np.asarray(np.mean([np.abs(values).sum(axis=1) for values in slices.weights], axis=0))


def l2(slices: ChannelSlices, options: Any) -> FloatArray:  # noqa: ARG001
    """The mean over members of sum w^2 (as in DepGraph, Fang et al., 2023, squared).

    Args:
        slices: Its `weights`, [channels, elements], float64.
        options: Unused.

    Returns:
        [channels], float64.
    """
    return np.asarray(np.mean([np.square(values).sum(axis=1) for values in slices.weights], axis=0))


def absolute(weight: FloatArray, options: Any, random: np.random.Generator) -> FloatArray:  # noqa: ARG001
    """|w| (Han et al., 2015, "Learning both Weights and Connections for Efficient Neural Networks").

    Args:
        weight: One layer's weight, any shape, float64.
        options: Unused.
        random: Unused.

    Returns:
        The shape of `weight`, float64.
    """
    return np.asarray(np.abs(weight))


def square(weight: FloatArray, options: Any, random: np.random.Generator) -> FloatArray:  # noqa: ARG001
    """w^2: the order of `absolute`, with the weights of `l2`.

    Args:
        weight: One layer's weight, any shape, float64.
        options: Unused.
        random: Unused.

    Returns:
        The shape of `weight`, float64.
    """
    return np.asarray(np.square(weight))
