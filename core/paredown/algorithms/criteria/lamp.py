"""Layer-adaptive magnitude: scores of single weights that compare between layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from paredown.contracts import FloatArray


def lamp(weight: FloatArray, options: Any, random: np.random.Generator) -> FloatArray:  # noqa: ARG001
    """w^2 / sum of v^2 over the weights v of the layer with |v| >= |w|.

    Lee et al., 2021, "Layer-adaptive Sparsity for the Magnitude-based Pruning", equation 4. There equal weights are
    told apart by their place; here they score alike, and whoever chooses keeps the lower index.

    Args:
        weight: One layer's weight, any shape, float64.
        options: Unused.
        random: Unused.

    Returns:
        The shape of `weight`, float64, in [0, 1]; zero weights score 0.
    """
    squares = np.square(weight).ravel()
    order = np.argsort(squares)[::-1]
    descending = squares[order]
    # Of equal weights the last in order has the sum that holds them all.
    ends = np.flatnonzero(np.append(descending[1:] != descending[:-1], np.ones(min(1, len(order)), dtype=bool)))
    sums = np.repeat(np.cumsum(descending)[ends], np.diff(ends, prepend=-1))
    scores = np.zeros_like(squares)
    scores[order] = np.divide(descending, sums, out=np.zeros_like(sums), where=descending > 0)
    return np.asarray(scores.reshape(weight.shape))
