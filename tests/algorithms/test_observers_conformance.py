"""Every observer that we ship keeps what the conformance kit asks of any."""

from __future__ import annotations

from typing import ClassVar

from paredown.testing import ObserverConformance


class TestMinMax(ObserverConformance):
    name = "minmax"


class TestMovingAverage(ObserverConformance):
    name = "moving_average"


class TestPercentile(ObserverConformance):
    name = "percentile"
    options: ClassVar = {"percentile": 99.0}


class TestHistogram(ObserverConformance):
    name = "histogram"


class TestEntropy(ObserverConformance):
    name = "entropy"
