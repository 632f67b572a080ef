"""Saying why a target is out of reach: how far one can go, and what holds the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from paredown.algorithms.costs import Costs, Measure
from paredown.algorithms.removal import RemovalOrder
from paredown.algorithms.sensitivity import GREATEST_RATIO
from paredown.contracts import IntArray
from paredown.errors import TargetUnreachable


class Request(Protocol):
    """The part of a request that can hold a target back."""

    @property
    def ratios(self) -> Mapping[str, float]:
        """Groups with a ratio of their own."""
        ...

    @property
    def round_to(self) -> int:
        """What divides the widths that are left."""
        ...

    @property
    def curves(self) -> Mapping[str, Any] | None:
        """What was measured of each group, where that shares the cuts out."""
        ...

    @property
    def left_whole(self) -> Mapping[str, str]:
        """Layers that are not cut, with reasons."""
        ...


def unreachable(
    measure: Measure,
    target: float,
    furthest: float,
    orders: Sequence[RemovalOrder],
    steps: IntArray,
    request: Request,
    costs: Costs,
) -> TargetUnreachable:
    """The error for a target beyond the furthest permitted cuts.

    Args:
        measure: What the target is a share of.
        target: The share that was to be kept.
        furthest: The share that is kept at the furthest.
        orders: The groups.
        steps: The furthest step of each.
        request: What was asked for.
        costs: Of the same groups.
    """
    holds = [f"layers that no group reaches hold {costs.untouched(measure):.1%} of the {measure}"]
    holds += [f"{layer} is left whole: {reason}" for layer, reason in list(request.left_whole.items())[:3]]
    apart = [name for name in request.ratios if any(order.group.name == name for order in orders)]
    if apart:
        holds.append(f"{len(apart)} groups have a ratio of their own ({', '.join(apart[:3])})")
    if request.round_to > 1:
        held = _held(orders, steps, apart)
        holds.append(f"round_to {request.round_to} leaves widths that it divides ({held} channels stay in the groups)")
    blocks = [order.group.name for order in orders if order.group.blocks > 1]
    if blocks:
        holds.append(f"{len(blocks)} groups lose channels of all their blocks at once ({', '.join(blocks[:3])})")
    remedy = f"raise `keep.{measure}`, lower `round_to`, or protect less"
    if request.curves is not None:
        holds.append(f"by its measured sensitivity no group loses more than {GREATEST_RATIO:.0%} of its channels")
        remedy = f"raise `keep.{measure}`, lower `round_to`, protect less, or set `allocation: {{kind: uniform}}`"
    holds.append("every group keeps a channel")
    return TargetUnreachable(
        f"the target lies beyond what can be cut: at the furthest {furthest:.4f} of the {measure} stay",
        where=f"keep.{measure}",
        value=f"{target:g}",
        expected=f"at least {furthest:.4f}; " + "; ".join(holds),
        remedy=remedy,
    )


def _held(orders: Sequence[RemovalOrder], steps: IntArray, apart: Sequence[str]) -> int:
    return sum(
        order.group.size - order.count(int(step))
        for order, step in zip(orders, steps, strict=True)
        if order.group.name not in apart
    )
