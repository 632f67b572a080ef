"""How much each group loses: a ratio or a target, shared out evenly, by score, or by measured sensitivity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from paredown.algorithms.costs import MEASURES, CostPath, Costs, Measure
from paredown.algorithms.removal import RemovalOrder, removal_order
from paredown.algorithms.selection import Queue, by_ratio, by_score, cuts_at, queue
from paredown.algorithms.sensitivity import Curve, by_drop, within_cap
from paredown.algorithms.unreachable import unreachable
from paredown.contracts import FloatArray, IntArray
from paredown.errors import PlanError
from paredown.plan import Cut, Group

TOLERANCE = 0.02
"""How far from a target, relative to it, a network counts as having reached it."""


@dataclass(frozen=True, slots=True)
class CutRequest:
    """How much is to go.

    Exactly one of `ratio` (the share of channels removed) and `keep` (a measure of `costs.MEASURES` and the share of it
    that is kept) is given. `ratios` decides the groups that it names apart from the others. `round_to` divides the
    widths that are left. `curves` gives for each group (ratio, loss of the metric) as measured; where it is given,
    `scope` is not looked at. `left_whole` (layers with reasons) is for the message when a target is out of reach.
    """

    scope: Literal["local", "global"]
    ratio: float | None = None
    keep: tuple[str, float] | None = None
    ratios: Mapping[str, float] = field(default_factory=dict)
    round_to: int = 1
    curves: Mapping[str, Sequence[tuple[float, float]]] | None = None
    left_whole: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selection:
    """What goes. `reached` holds the shares of MACs, parameters and bytes that are kept.

    `finest` says why, where the network is more than 2% below its target: it names the last cut, without which the
    target is missed, or says that the groups decided apart alone go below it.
    """

    cuts: tuple[Cut, ...]
    reached: Mapping[str, float]
    finest: str | None = None


def choose(groups: Sequence[Group], scores: Sequence[FloatArray], request: CutRequest, costs: Costs) -> Selection:
    """Decides which channels go. Ties keep the lower index; every group keeps at least one channel of each block.

    A target is met by the fewest cuts that bring the network to it or below. Their order: with `local` all groups lose
    the same share, as nearly as channels allow; with `global` the lowest score goes first, relative to the mean
    magnitude in its group; with `curves` the cut whose loss, read off the curve of its group, is the smallest
    (Li et al., 2017, section 3.2: one threshold for all).

    Args:
        groups: The groups that may be cut.
        scores: For each group, [size], greater is more important.
        request: How much.
        costs: Made for the same groups.

    Raises:
        PlanError: The request is contradictory, or a group has no curve.
        TargetUnreachable: The furthest permitted cuts stay more than 2% above the target.
    """
    if (request.ratio is None) == (request.keep is None):
        raise PlanError(
            "a cut needs a ratio or a target",
            value=f"ratio {request.ratio}, keep {request.keep}",
            expected="exactly one of both",
            remedy="give `ratio` or `keep`, and not the other",
        )
    if [group.name for group in groups] != [group.name for group in costs.groups]:
        raise PlanError(
            "the costs were made for other groups",
            value=f"{len(costs.groups)} groups there, {len(groups)} here",
            expected="the same groups in the same order",
            remedy="make the costs for the groups that may be cut",
        )
    orders = [removal_order(group, values, request.round_to) for group, values in zip(groups, scores, strict=True)]
    steps = np.zeros(len(orders), dtype=np.int64)
    for index, order in enumerate(orders):
        if order.group.name in request.ratios:
            steps[index] = order.step_for(request.ratios[order.group.name])
    free = np.asarray([i for i, order in enumerate(orders) if order.group.name not in request.ratios], dtype=np.int64)
    path = costs.along([(order.channels.T.ravel(), order.counts) for order in orders])
    if request.ratio is not None:
        steps[free] = _by_ratio([orders[i] for i in free], request, request.ratio)
        return Selection(cuts_at(orders, steps.tolist()), path.shares(steps))
    target = _Target(orders, path, steps, free, _queue([orders[i] for i in free], request))
    return target.meet(request, costs)


def _by_ratio(orders: Sequence[RemovalOrder], request: CutRequest, ratio: float) -> IntArray:
    if request.scope == "local" and request.curves is None:
        return np.asarray([order.step_for(ratio) for order in orders], dtype=np.int64)
    return _queue(orders, request).steps_for(ratio)


def _queue(orders: Sequence[RemovalOrder], request: CutRequest) -> Queue:
    if request.curves is None:
        return queue(orders, by_ratio if request.scope == "local" else by_score)
    missing = [order.group.name for order in orders if order.group.name not in request.curves]
    if missing:
        raise PlanError(
            "a group has no measured sensitivity",
            where=f"group {missing[0]}",
            value=f"{len(missing)} groups without a curve",
            expected="a curve for each group that may be cut",
            remedy="measure the sensitivity of this network again",
        )
    curves = {order.group.name: Curve.of(request.curves[order.group.name]) for order in orders}
    return queue([within_cap(order) for order in orders], by_drop(curves))


@dataclass(frozen=True, slots=True)
class _Target:
    """The search for the fewest cuts that meet a target: `steps` are those of the groups decided apart, and zeros."""

    orders: Sequence[RemovalOrder]
    path: CostPath
    steps: IntArray
    free: IntArray
    queue: Queue

    def meet(self, request: CutRequest, costs: Costs) -> Selection:
        """The fewest cuts, from the front of the queue, that bring the measure to its target or below."""
        assert request.keep is not None
        measure, target = _measure(request.keep[0]), request.keep[1]
        length = self._shortest(measure, target)
        reached = self._shares(length)
        if reached[measure] > target * (1 + TOLERANCE):
            raise unreachable(measure, target, reached[measure], self.orders, self._steps(length), request, costs)
        finest = None
        if reached[measure] < target * (1 - TOLERANCE):
            finest = self._last_cut(length, measure) if length else _overshoot(measure, target, reached[measure])
        return Selection(cuts_at(self.orders, self._steps(length).tolist()), reached, finest)

    def _shortest(self, measure: Measure, target: float) -> int:
        """The least number of cuts that meets the target; all of them where none does. Costs fall along the queue."""
        low, high = 0, len(self.queue.owners)
        while low < high:
            middle = (low + high) // 2
            if self._shares(middle)[measure] <= target:
                high = middle
            else:
                low = middle + 1
        return low

    def _steps(self, length: int) -> IntArray:
        steps = self.steps.copy()
        steps[self.free] = self.queue.steps(length)
        return steps

    def _shares(self, length: int) -> dict[str, float]:
        return self.path.shares(self._steps(length))

    def _last_cut(self, length: int, measure: Measure) -> str:
        order = self.queue.orders[self.queue.owners[length - 1]]
        step = int(self._steps(length)[self.free[self.queue.owners[length - 1]]])
        channels = order.count(step) - order.count(step - 1)
        moved = self._shares(length - 1)[measure] - self._shares(length)[measure]
        plural = "channel" if channels == 1 else "channels"
        return f"{channels} {plural} of group {order.group.name}: {moved:.2%} of the {measure}"


def _overshoot(measure: Measure, target: float, reached: float) -> str:
    return f"none: the overrides alone keep {reached:.4f} of the {measure}, below the target of {target:g}"


def _measure(name: str) -> Measure:
    if name not in MEASURES:
        raise PlanError(
            "there is no such measure",
            where="keep",
            value=name,
            expected=f"one of {', '.join(MEASURES)}",
            remedy="set the target in one of these",
        )
    return name
