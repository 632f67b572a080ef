"""Chance: the control that a criterion has to beat, and the generators that every criterion is given."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from paredown.contracts import ChannelSlices, FloatArray


def seeded(seed: int, name: str) -> np.random.Generator:
    """A generator that depends on the run's seed and a name alone, on every machine alike."""
    return np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()[:8]])


def channels(slices: ChannelSlices, options: Any) -> FloatArray:  # noqa: ARG001
    """Uniform on [0, 1), drawn from the run's seed and the group's name.

    The control of Mittal et al., 2018, "Recovering from Random Pruning: On the Plasticity of Deep CNNs".

    Args:
        slices: Its `random`, and as many channels as its `weights` have.
        options: Unused.

    Returns:
        [channels], float64.
    """
    random = slices.random if slices.random is not None else seeded(0, slices.group)
    return random.random(len(slices.weights[0]))


def weights(weight: FloatArray, options: Any, random: np.random.Generator) -> FloatArray:  # noqa: ARG001
    """Uniform on [0, 1) for each weight.

    Args:
        weight: One layer's weight, any shape; only the shape is used.
        options: Unused.
        random: Seeded with the run's seed and the parameter's name.

    Returns:
        The shape of `weight`, float64.
    """
    return random.random(weight.shape)
