"""Measured sensitivity: what a group's pruning costs in accuracy, as a curve over the share removed."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from paredown.algorithms.removal import RemovalOrder, share
from paredown.algorithms.selection import Rank
from paredown.contracts import FloatArray

GREATEST_RATIO = 0.95
"""No group loses more by its sensitivity: beyond the measured ratios a curve is a guess."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The loss of a metric over the share removed, [points] each; from (0, 0), never falling."""

    ratios: FloatArray
    drops: FloatArray

    @staticmethod
    def of(points: Sequence[tuple[float, float]]) -> Curve:
        """The curve through measured points (ratio, loss); a gain counts as no loss, noise downwards is levelled."""
        ordered = [(0.0, 0.0), *sorted((ratio, drop) for ratio, drop in points if ratio > 0)]
        ratios, drops = np.asarray(ordered, dtype=np.float64).T
        return Curve(ratios, np.maximum.accumulate(drops))

    def drop(self, ratios: FloatArray) -> FloatArray:
        """The losses at ratios: between points linear, beyond the last one along the last piece."""
        inside = np.interp(ratios, self.ratios, self.drops)
        if len(self.ratios) == 1:
            return np.asarray(inside)
        slope = (self.drops[-1] - self.drops[-2]) / (self.ratios[-1] - self.ratios[-2])
        return np.asarray(inside + slope * np.maximum(0.0, ratios - self.ratios[-1]))


def by_drop(curves: Mapping[str, Curve]) -> Rank:
    """Ranks cuts by the loss after them, as the group's curve has it; at equal losses by the share that is gone.

    All cuts below one rank are, for a threshold of the loss, the greatest permitted ratio of each group under it
    (Li et al., 2017, "Pruning Filters for Efficient ConvNets", section 3.2).
    """

    def rank(order: RemovalOrder) -> FloatArray:
        ratios = order.counts[1:] / order.group.size
        return np.stack([curves[order.group.name].drop(ratios), ratios], axis=1)

    return rank


def within_cap(order: RemovalOrder) -> RemovalOrder:
    """The order without the steps that take more than `GREATEST_RATIO` of the group."""
    units = share(order.group.size, GREATEST_RATIO) // order.group.blocks
    return replace(order, permitted=order.permitted[: bisect.bisect_right(order.permitted, units)])
