"""A histogram that streams: constant memory, and the same counts however the images are grouped.

Bins have a width that is a power of two, and a value x is counted at trunc(x / width): the division is exact. When a
value falls outside, the width doubles and bins merge by trunc(index / 2), which is where their values would have been
counted had the width been the wider one from the start. So the counts depend on the images' values alone.

Counting every value would cost more than computing it did: of large tensors a tenth is counted, at places that move
from image to image, so that every channel and every row has its turn. The extremes are those of all values.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from paredown.algorithms.observers.extremes import extremes, nothing_observed

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, IntArray

ALL_COUNTED = 1024
"""Up to so many values, an image's tensor is counted whole."""
RUN, PERIODS = 16, (163, 167)
"""Of more, the values of all images stand in one row, of which the first 16 of every 163 are counted: runs, since
memory is read in lines of 16, and a prime, so that the next image has others counted; of 167 where 163 divides the
size of an image's tensor."""
BLOCK = 1 << 15
"""Values that are counted at once: they and their indices stay in the processor's cache."""
SMALLEST_EXPONENT = -126
"""The scale of narrower bins would not be a float32 number."""


class StreamingHistogram:
    """Counts of values in bins of equal width on both sides of zero.

    `counts` are [2 * bins - 1], int64: the bin of index i holds the values with trunc(x / width) = i - (bins - 1). The
    one in the middle is as wide as two others and holds the zeros. `minimum` and `maximum` are exact.
    """

    def __init__(self, bins: int) -> None:
        self.bins = bins
        self.counts: IntArray = np.zeros(2 * bins - 1, dtype=np.int64)
        self.minimum, self.maximum = math.inf, -math.inf
        self._exponent = SMALLEST_EXPONENT
        self._passed = 0  # values of large tensors, before these

    @property
    def width(self) -> float:
        """The width of a bin, a power of two."""
        return 2.0**self._exponent

    def update(self, values: FloatArray) -> None:
        """Counts float32 values, [images, ...]; raises `DataError` where one is NaN or infinite."""
        low, high = extremes(values)
        self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)
        self._widen(max(-low, high))
        counted = values.reshape(-1)
        if values[0].size > ALL_COUNTED:
            period = next((one for one in PERIODS if values[0].size % one), PERIODS[0])
            counted, self._passed = _a_part(counted, self._passed % period, period), self._passed + values.size
        for start in range(0, counted.size, BLOCK):
            self._count(counted[start : start + BLOCK], signed=low < 0)

    def without_zeros(self) -> FloatArray:
        """The counts, float64, with the bin at zero as dense as its neighbours.

        Zeros, of which a Relu makes many, are exact in every range and say nothing about the best one.
        """
        found, middle = self.counts.astype(np.float64), self.bins - 1
        found[middle] = found[middle - 1] + found[middle + 1]
        return found

    def edges(self) -> tuple[FloatArray, FloatArray]:
        """Where each bin begins and ends: two arrays as long as `counts`, float64, within the extremes.

        Raises:
            DataError: Nothing was observed.
        """
        if not self.minimum <= self.maximum:
            raise nothing_observed()
        index = np.arange(1 - self.bins, self.bins, dtype=np.float64)
        lower, upper = (index - (index <= 0)) * self.width, (index + (index >= 0)) * self.width
        return np.clip(lower, self.minimum, self.maximum), np.clip(upper, self.minimum, self.maximum)

    def quantile(self, share: float) -> float:
        """The value that this share of all values is not above; values lie evenly within a bin.

        Raises:
            DataError: Nothing was observed.
        """
        lower, upper = self.edges()
        filled = np.flatnonzero(self.counts)
        below = np.cumsum(self.counts[filled])
        wanted = share * int(below[-1])
        position = min(int(np.searchsorted(below, wanted)), len(filled) - 1)
        one = filled[position]
        inside = 1 - (int(below[position]) - wanted) / int(self.counts[one])
        return float(lower[one] + inside * (upper[one] - lower[one]))

    def _count(self, values: FloatArray, *, signed: bool) -> None:
        index = (values * np.float32(2.0**-self._exponent)).astype(np.int32)
        middle = self.bins - 1
        if signed:
            index += np.int32(middle)
            self.counts = self.counts + np.bincount(index, minlength=len(self.counts))
        else:  # the half of the negative values is left alone
            self.counts[middle:] = self.counts[middle:] + np.bincount(index, minlength=self.bins)

    def _widen(self, absmax: float) -> None:
        """Doubles the width until a value of this magnitude has a bin."""
        needed = self._exponent
        while absmax >= self.bins * 2.0**needed:
            needed += 1
        doublings = needed - self._exponent
        if doublings:
            index = np.arange(1 - self.bins, self.bins)
            # Beyond the word's bits all bins are the one in the middle.
            merged = np.sign(index) * (np.abs(index) >> min(doublings, 62)) + self.bins - 1
            counts = np.zeros_like(self.counts)
            np.add.at(counts, merged, self.counts)
            self.counts, self._exponent = counts, needed


def _a_part(values: FloatArray, begun: int, period: int) -> FloatArray:
    """The first `RUN` of every `period` values, of a row of which so many of the first period have passed already."""
    head, rest = values[: (period - begun) % period], values[(period - begun) % period :]
    whole = rest[: rest.size - rest.size % period]
    runs = whole.reshape(-1, period)[:, :RUN].reshape(-1)
    return np.concatenate([head[: max(0, RUN - begun)], runs, rest[whole.size :][:RUN]])
