"""The range that keeps most of the information in the values' distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from paredown.algorithms.observers.histogram import StreamingHistogram
from paredown.algorithms.observers.search import cheapest_range
from paredown.algorithms.qparams import activation_qparams

if TYPE_CHECKING:
    from paredown.contracts import FloatArray

LEAST_PROBABILITY = 1e-9
"""What a value that quantization cannot give is taken to have, so that the divergence stays finite."""


class Entropy:
    """Chooses the range with the least KL divergence from the quantized distribution to the values' own (Migacz, 2017).

    As there, values beyond the range are counted at its end in the reference and left out of what is quantized, and a
    level's counts are spread evenly over those of its bins that hold values. Beyond it, levels are those that there
    will be, so that one-sided and asymmetric ranges are right too; and exact zeros, which any range represents, do not
    count: the bin at zero takes the density of its neighbours.
    """

    statistics: ClassVar[Literal["values"]] = "values"

    def __init__(self, options: Any, bits: int = 8, symmetric: bool = False) -> None:
        self._histogram = StreamingHistogram(options.bins)
        self._bits, self._symmetric = bits, symmetric

    def update(self, values: FloatArray) -> None:
        """Counts one more batch; raises `DataError` where a value is NaN or infinite."""
        self._histogram.update(values)

    def range(self) -> tuple[float, float]:
        """The best range, (0, 0) for zeros alone; raises `DataError` when nothing was observed."""
        lower, upper = self._histogram.edges()
        counts = self._histogram.without_zeros()
        filled = np.flatnonzero(counts)
        low, high = min(self._histogram.minimum, 0.0), max(self._histogram.maximum, 0.0)
        if not len(filled):
            return low, high
        centres, counts = (lower[filled] + upper[filled]) / 2, counts[filled]

        def cost(least: float, most: float) -> float:
            tensor = activation_qparams(least, most, bits=self._bits, symmetric=self._symmetric)
            whole = least <= low and most >= high
            # With levels narrower than bins, nothing could be said about a part of the range.
            if tensor.scale[0] < self._histogram.width and not whole:
                return float("inf")
            zero_point = tensor.zero_point[0]
            levels = np.rint(centres / tensor.scale[0]).astype(np.int64) + zero_point
            return divergence(counts, levels, tensor.qmin, tensor.qmax)

        return cheapest_range(low, high, cost, symmetric=self._symmetric)


def divergence(counts: FloatArray, levels: FloatArray, qmin: int, qmax: int) -> float:
    """KL(P || Q) in nats: P are the counts with those beyond [qmin, qmax] at its ends, Q what quantization leaves.

    Args:
        counts: Positive counts of bins, ascending.
        levels: The integer that each bin is quantized to, before it is clipped.
        qmin: The least integer.
        qmax: The greatest integer.
    """
    inside = (levels >= qmin) & (levels <= qmax)
    if not inside.any():
        return float("inf")
    kept, level = counts[inside], levels[inside] - qmin
    reference = kept.copy()
    reference[0] += counts[levels < qmin].sum()
    reference[-1] += counts[levels > qmax].sum()
    sums = np.bincount(level, weights=kept)
    bins = np.bincount(level)
    quantized = (sums[level] / bins[level]) / kept.sum()
    reference /= reference.sum()
    return float(reference @ np.log(reference / np.maximum(quantized, LEAST_PROBABILITY)))
