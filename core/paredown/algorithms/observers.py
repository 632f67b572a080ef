"""Observers: the range of a tensor's values, gathered batch by batch in constant memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from paredown.errors import DataError

if TYPE_CHECKING:
    from paredown.contracts import FloatArray


class MinMaxObserver:
    """The smallest and the greatest value seen (Jacob et al., 2018, section 3.1, without the moving average)."""

    def __init__(self, options: Any) -> None:
        self.options = options
        self._minimum: float | None = None
        self._maximum: float | None = None

    def update(self, values: FloatArray) -> None:
        """Takes one more batch; raises `DataError` where a value is NaN or infinite."""
        with np.errstate(invalid="ignore"):  # NaN is reported below, as an error
            minimum, maximum = float(values.min()), float(values.max())
        # NaN and infinity survive min and max, so two numbers tell about all values.
        if not (abs(minimum) < float("inf") and abs(maximum) < float("inf")):
            raise DataError(
                "a tensor is not finite during calibration",
                value=f"values from {minimum} to {maximum}",
                expected="finite numbers",
                remedy="look for overflow in the network, or for NaN in the calibration images",
            )
        self._minimum = minimum if self._minimum is None else min(self._minimum, minimum)
        self._maximum = maximum if self._maximum is None else max(self._maximum, maximum)

    def range(self) -> tuple[float, float]:
        """(minimum, maximum); raises `DataError` when nothing was observed."""
        if self._minimum is None or self._maximum is None:
            raise DataError("nothing was observed", expected="at least one calibration batch")
        return self._minimum, self._maximum
