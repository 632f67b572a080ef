"""Initial weights, drawn in NumPy from the seed, so that every backend starts from the same numbers."""

from __future__ import annotations

import hashlib
import math

import numpy as np

from paredown.contracts import Array, State


def draw(state: State, seed: int) -> dict[str, Array]:
    """Initial values for every array of a network.

    Convolutions: normal with variance 2 / fan_out (He et al., 2015). Linear weights: uniform within 1 / sqrt(fan_in).
    BatchNorm: weight and running variance 1, bias and running mean 0. Other biases: 0. Each array has a generator of
    its own, seeded by the seed and its name, so that a network's other layers never change it.

    Args:
        state: Neutral names and shapes, as `save` gives them; the values are not used.
        seed: The run's seed.
    """
    return {name: _draw_one(name, np.shape(values), seed) for name, values in state.items()}


def _draw_one(name: str, shape: tuple[int, ...], seed: int) -> Array:
    generator = np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()[:8]])
    if len(shape) == 4:
        deviation = math.sqrt(2.0 / (shape[0] * shape[2] * shape[3]))
        return (generator.standard_normal(shape) * deviation).astype(np.float32)
    if len(shape) == 2:
        bound = 1.0 / math.sqrt(shape[1])
        return generator.uniform(-bound, bound, shape).astype(np.float32)
    is_one = name.endswith((".weight", ".running_var"))
    return np.full(shape, float(is_one), dtype=np.float32)
