"""The cuts of several groups in one queue, by a rank; and the steps that a ratio asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.removal import RemovalOrder, share
from paredown.contracts import FloatArray, IntArray
from paredown.plan import Cut

Rank = Callable[[RemovalOrder], FloatArray]
"""Where a group's cuts from each step to the next stand in the queue: [cuts, 2], the first number first."""


@dataclass(frozen=True, slots=True)
class Queue:
    """All permitted cuts of several groups in the order that they are made in.

    `owners` holds for each cut the index of its group, [cuts]; a group's own cuts follow its order of removal.
    """

    orders: tuple[RemovalOrder, ...]
    owners: IntArray

    def steps(self, length: int) -> IntArray:
        """The step of each group once the first `length` cuts are made: [groups]."""
        return np.bincount(self.owners[:length], minlength=len(self.orders))

    def steps_for(self, ratio: float) -> IntArray:
        """The step of each group once a share of all their channels is gone; a cut that no longer fits is left out."""
        wanted = share(sum(order.group.size for order in self.orders), ratio)
        steps = [0] * len(self.orders)
        sizes = [np.diff(order.counts).tolist() for order in self.orders]
        closed: set[int] = set()
        for owner in self.owners.tolist():
            size = sizes[owner][steps[owner]]
            if owner in closed or size > wanted:
                closed.add(owner)
                continue
            steps[owner] += 1
            wanted -= size
        return np.asarray(steps, dtype=np.int64)


def queue(orders: Sequence[RemovalOrder], rank: Rank) -> Queue:
    """Puts the cuts of groups into one queue by their rank; at equal ranks the earlier group goes first."""
    ranks = np.concatenate([np.zeros((0, 2)), *(rank(order) for order in orders)])
    counts = [order.last for order in orders]
    owners = np.repeat(np.arange(len(orders)), counts)
    return Queue(tuple(orders), owners[np.lexsort((owners, ranks[:, 1], ranks[:, 0]))])


def by_score(order: RemovalOrder) -> FloatArray:
    """By the mean score, relative to the group's mean magnitude, of the units that go."""
    units = np.diff(order.permitted)
    if not len(units):
        return np.zeros((0, 2))
    sums = np.add.reduceat(order.scores[: order.permitted[-1]], order.permitted[:-1])
    return np.stack([sums / units, np.zeros(len(units))], axis=1)


def by_ratio(order: RemovalOrder) -> FloatArray:
    """By the share of the group that is gone after the cut: all groups shrink alike."""
    ratios = order.counts[1:] / order.group.size
    return np.stack([ratios, np.zeros(len(ratios))], axis=1)


def cuts_at(orders: Sequence[RemovalOrder], steps: Sequence[int]) -> tuple[Cut, ...]:
    """The cuts of the groups that have gone at least one step."""
    return tuple(
        Cut(group=order.group, remove=order.removed(step)) for order, step in zip(orders, steps, strict=True) if step
    )
