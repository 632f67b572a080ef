"""What quantization does to single layers, as figures: plain data, without the networks that they came from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

LIMIT = 200.0
"""Ratios are cut off at so many dB, far beyond what float32 resolves: without any noise the ratio is infinite."""


@dataclass(frozen=True, slots=True)
class LayerNoise:
    """Signal-to-noise ratios of one layer's quantization, in dB; more is better, and 200 stands for no noise at all.

    `together` is that of the layer's output with the whole network quantized; `alone` that of the same output where
    only this layer's weight and inputs are; `network` that of the network's output where only this layer is quantized.
    The outputs of a layer that is called several times count together.
    """

    layer: str
    together: float
    alone: float
    network: float

    def to_dict(self) -> dict[str, str | float]:
        """JSON values by the names of the fields."""
        return asdict(self)


def decibels(signal: float, noise: float) -> float:
    """10 * log10(signal / noise) of two sums of squares, within -200 and 200 dB."""
    if noise == 0:
        return LIMIT
    if signal == 0:
        return -LIMIT
    return max(-LIMIT, min(LIMIT, 10 * (math.log10(signal) - math.log10(noise))))


def worst_first(records: Sequence[LayerNoise]) -> list[str]:
    """The layers, first the one that alone adds most noise to the network's output; ties keep their order."""
    return [record.layer for record in sorted(records, key=lambda record: record.network)]
