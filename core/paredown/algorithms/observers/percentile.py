"""The range without its outermost values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from paredown.algorithms.observers.histogram import StreamingHistogram

if TYPE_CHECKING:
    from paredown.contracts import FloatArray


class Percentile:
    """Leaves out a share of the values, half at either end (McKinstry et al., 2019, "Discovering Low-Precision ...").

    An end where many values are equal, such as the zeros behind a ReLU, cuts nothing off: 99% keeps 99.5% there.
    The quantiles are those of a histogram of the values that it counts, a tenth of a large tensor's: off by less
    than the width of its bins. With 100% the range is that of all values.
    """

    statistics: ClassVar[Literal["values"]] = "values"

    def __init__(self, options: Any, bits: int = 8, symmetric: bool = False) -> None:  # noqa: ARG002  # as all observers
        self._left_out = (1 - float(options.percentile) / 100) / 2
        self._histogram = StreamingHistogram(options.bins)

    def update(self, values: FloatArray) -> None:
        """Counts one more batch; raises `DataError` where a value is NaN or infinite."""
        self._histogram.update(values)

    def range(self) -> tuple[float, float]:
        """(lower quantile, upper quantile); raises `DataError` when nothing was observed."""
        if self._left_out == 0:
            self._histogram.edges()
            return self._histogram.minimum, self._histogram.maximum
        return self._histogram.quantile(self._left_out), self._histogram.quantile(1 - self._left_out)
