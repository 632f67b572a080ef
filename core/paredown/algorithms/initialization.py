"""Initial weights, drawn in NumPy from the seed, so that every backend starts from the same numbers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from paredown.contracts import Array, State
from paredown.twins import INITIAL_BIASES, INITIAL_DEVIATIONS

_NONE: Mapping[str, float] = MappingProxyType({})


def draw_network(network: str, state: State, seed: int) -> dict[str, Array]:
    """As `draw`, where a network of our own has it so with other biases and standard deviations.

    Args:
        network: The network's name; one that is not ours is drawn as any.
        state: Neutral names and shapes of the network, whole or cut.
        seed: The run's seed.
    """
    drawn = draw(state, seed, INITIAL_DEVIATIONS.get(network, _NONE))
    biases = INITIAL_BIASES.get(network, _NONE)
    return {**drawn, **{name: np.full_like(drawn[name], value) for name, value in biases.items()}}


def draw(state: State, seed: int, deviations: Mapping[str, float] = _NONE) -> dict[str, Array]:
    """Initial values for every array of a network.

    Convolutions: normal with variance 2 / fan_out (He et al., 2015). Linear weights: uniform within 1 / sqrt(fan_in).
    BatchNorm: weight and running variance 1, bias and running mean 0. Other biases: 0. Each array has a generator of
    its own, seeded by the seed and its name, so that a network's other layers never change it.

    Args:
        state: Neutral names and shapes, as `save` gives them; the values are not used.
        seed: The run's seed.
        deviations: Standard deviations of convolutions that have others, by name.
    """
    return {name: _draw_one(name, np.shape(values), seed, deviations.get(name)) for name, values in state.items()}


def _draw_one(name: str, shape: tuple[int, ...], seed: int, given: float | None) -> Array:
    generator = np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()[:8]])
    if len(shape) == 4:
        deviation = math.sqrt(2.0 / (shape[0] * shape[2] * shape[3])) if given is None else given
        return (generator.standard_normal(shape) * deviation).astype(np.float32)
    if len(shape) == 2:
        bound = 1.0 / math.sqrt(shape[1])
        return generator.uniform(-bound, bound, shape).astype(np.float32)
    is_one = name.endswith((".weight", ".running_var"))
    return np.full(shape, float(is_one), dtype=np.float32)
