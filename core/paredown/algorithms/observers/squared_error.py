"""The range with the least squared error of quantization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from paredown.algorithms.observers.histogram import StreamingHistogram
from paredown.algorithms.observers.search import cheapest_range
from paredown.algorithms.qparams import activation_qparams

if TYPE_CHECKING:
    from paredown.contracts import FloatArray
    from paredown.plan import QuantizedTensor


class SquaredError:
    """Chooses the range whose quantization, with the levels that there will be, has the least squared error.

    Values are taken to lie evenly within the bins of a histogram; rounding and clipping are integrated over them.
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
        low, high = min(self._histogram.minimum, 0.0), max(self._histogram.maximum, 0.0)
        filled = np.flatnonzero(counts)
        if not len(filled):
            return low, high
        # Bins between the extremes lie side by side, and so share their edges.
        edges = np.append(lower[filled[0] : filled[-1] + 1], upper[filled[-1]])
        counts = counts[filled[0] : filled[-1] + 1]

        def cost(low: float, high: float) -> float:
            tensor = activation_qparams(low, high, bits=self._bits, symmetric=self._symmetric)
            return squared_error(edges, counts, tensor)

        return cheapest_range(low, high, cost, symmetric=self._symmetric)


def squared_error(edges: FloatArray, counts: FloatArray, tensor: QuantizedTensor) -> float:
    """The sum of squared errors of quantizing values that lie evenly between the edges of their bins.

    With n the nearest level in units of the scale s, the integral of (t - n * s)**2 from 0 to t is
    n * s**3 / 12 + (t - n * s)**3 / 3, beyond the last level too.

    Args:
        edges: Where bins begin and end, float64, ascending, one more than bins; a bin whose ends are equal holds one
            value.
        counts: How many values each bin holds.
        tensor: How they are quantized; one scale.
    """
    scale, zero_point = tensor.scale[0], tensor.zero_point[0]
    level = np.clip(np.rint(edges / scale), tensor.qmin - zero_point, tensor.qmax - zero_point)
    error = edges - level * scale
    integral = np.diff(level * (scale**3 / 12) + error * error * error / 3)
    width = np.diff(edges)
    mean = np.where(width > 0, integral / np.where(width > 0, width, 1), error[:-1] ** 2)
    return float(counts @ mean)
