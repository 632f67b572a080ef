"""Observers that need no more of a batch than its smallest and its greatest value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from paredown.errors import DataError

if TYPE_CHECKING:
    from paredown.contracts import FloatArray


def extremes(values: FloatArray) -> tuple[float, float]:
    """The smallest and the greatest of the values.

    Raises:
        DataError: There are none, or one of them is NaN or infinite.
    """
    if values.size == 0:
        raise nothing_observed()
    flat = values.reshape(-1)
    with np.errstate(invalid="ignore"):  # NaN is reported below, as an error
        minimum, maximum = float(np.minimum.reduce(flat)), float(np.maximum.reduce(flat))
    # NaN and infinity survive min and max, so two numbers tell about all values.
    if not (np.isfinite(minimum) and np.isfinite(maximum)):
        raise DataError(
            "a tensor is not finite during calibration",
            value=f"values from {minimum} to {maximum}",
            expected="finite numbers",
            remedy="look for overflow in the network, or for NaN in the calibration images",
        )
    return minimum, maximum


def nothing_observed() -> DataError:
    """The error of an observer that is asked for a range before it saw a value."""
    return DataError(
        "nothing was observed", expected="at least one calibration batch", remedy="call `update` before `range`"
    )


def averaged(
    average: tuple[float, float], batch: tuple[float, float], momentum: float, *, symmetric: bool
) -> tuple[float, float]:
    """The next average, momentum * average + (1 - momentum) * batch: of minimum and maximum, or of absmax."""
    if symmetric:
        average, batch = _around_zero(*average), _around_zero(*batch)
    new = 1 - momentum
    return momentum * average[0] + new * batch[0], momentum * average[1] + new * batch[1]


def _around_zero(low: float, high: float) -> tuple[float, float]:
    reach = max(-low, high)
    return -reach, reach


class MinMax:
    """The smallest and the greatest value seen (Jacob et al., 2018, section 3.1, without the moving average)."""

    statistics: ClassVar[Literal["extremes"]] = "extremes"

    def __init__(self, options: Any, bits: int = 8, symmetric: bool = False) -> None:  # noqa: ARG002  # as all observers
        self._seen: tuple[float, float] | None = None

    def update(self, values: FloatArray) -> None:
        """Takes one more batch; raises `DataError` where a value is NaN or infinite."""
        low, high = extremes(values)
        self._seen = (low, high) if self._seen is None else (min(self._seen[0], low), max(self._seen[1], high))

    def range(self) -> tuple[float, float]:
        """(minimum, maximum); raises `DataError` when nothing was observed."""
        if self._seen is None:
            raise nothing_observed()
        return self._seen


class MovingAverage:
    """Averages the extremes of batches: a = momentum * a + (1 - momentum) * batch (Jacob et al., 2018, section 3.1).

    Where integers are symmetric it averages the absmax of batches, as PaddleSlim's `moving_average_abs_max` does; that
    one starts from 1 and divides by the sum of its weights, so that the start fades. Here the first batch is the
    average's start. The result depends on the order and the size of batches.
    """

    statistics: ClassVar[Literal["extremes"]] = "extremes"

    def __init__(self, options: Any, bits: int = 8, symmetric: bool = False) -> None:  # noqa: ARG002  # as all observers
        self._momentum = float(options.momentum)
        self._symmetric = symmetric
        self._average: tuple[float, float] | None = None

    def update(self, values: FloatArray) -> None:
        """Takes one more batch; raises `DataError` where a value is NaN or infinite."""
        seen = extremes(values)
        if self._average is not None:
            seen = averaged(self._average, seen, self._momentum, symmetric=self._symmetric)
        self._average = seen

    def range(self) -> tuple[float, float]:
        """The averages of minima and of maxima, or that of absmax around zero; `DataError` before the first batch."""
        if self._average is None:
            raise nothing_observed()
        return self._average
