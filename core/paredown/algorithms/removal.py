"""In which order the channels of a group go, and at which numbers of them a cut may stop."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

import numpy as np

from paredown.contracts import Array, FloatArray, IntArray
from paredown.errors import PlanError
from paredown.plan import Group, Member


@dataclass(frozen=True, slots=True)
class RemovalOrder:
    """The channels of a group, least important first. What goes at once is a unit: one channel of every block.

    `channels` is [blocks, units], `scores` [units], ascending, relative to the mean magnitude in the group.
    `permitted` are the numbers of units that may be gone, ascending, zero first: those that leave a width which
    `round_to` divides.
    """

    group: Group
    channels: IntArray
    scores: FloatArray
    permitted: tuple[int, ...]

    @property
    def last(self) -> int:
        """The greatest step: as many permitted cuts can follow each other."""
        return len(self.permitted) - 1

    def removed(self, step: int) -> tuple[int, ...]:
        """The channels gone at a step, ascending; step 0 is the whole group."""
        return tuple(sorted(int(one) for one in self.channels[:, : self.permitted[step]].ravel()))

    @property
    def counts(self) -> IntArray:
        """How many channels are gone at each step: [last + 1]."""
        return np.asarray(self.permitted, dtype=np.int64) * self.group.blocks

    def count(self, step: int) -> int:
        """How many channels are gone at a step."""
        return self.permitted[step] * self.group.blocks

    def step_for(self, ratio: float) -> int:
        """The greatest step that removes no more than a share of the group's channels."""
        wanted = share(self.group.size, ratio) // self.group.blocks
        return bisect.bisect_right(self.permitted, wanted) - 1


def removal_order(group: Group, scores: FloatArray, round_to: int = 1) -> RemovalOrder:
    """Orders the channels of a group. Ties keep the lower index.

    Scores are divided by the mean of their absolute values, so that groups compare; the sign stays, and with it the
    order of a criterion that scores below zero.

    Every member keeps at least one of the channels that it holds, whatever their scores.

    Args:
        group: Coupled channels.
        scores: [size], greater is more important.
        round_to: What has to divide the width that is kept (the positions along the axis that the group is named
            after), where anything is cut at all.

    Raises:
        PlanError: The blocks do not divide the group, or the scores have another shape.
    """
    if group.size % group.blocks or np.shape(scores) != (group.size,):
        raise PlanError(
            "the channels of a group cannot be ordered",
            where=f"group {group.name}",
            value=f"{group.size} channels in {group.blocks} blocks, scores of shape {np.shape(scores)}",
            expected="blocks of equal size, and one score a channel",
            remedy="use the groups with the network that they were found in",
        )
    units = group.size // group.blocks
    keepers = _keepers(group, scores)
    by_block, kept = scores.reshape(group.blocks, units), keepers.reshape(group.blocks, units)
    order = np.stack(
        [np.lexsort((-np.arange(units), values, keep)) for values, keep in zip(by_block, kept, strict=True)]
    )
    mean = float(np.mean(np.abs(scores)))
    relative = by_block / mean if mean else by_block
    unit_scores = np.take_along_axis(relative, order, axis=1).mean(axis=0)
    return RemovalOrder(
        group,
        order + units * np.arange(group.blocks)[:, None],
        np.maximum.accumulate(unit_scores),
        _permitted(group, units, round_to, least=int(kept.sum(axis=1).max())),
    )


def share(count: int, ratio: float) -> int:
    """How many of `count` a ratio is, rounded down; as a person means it who writes 0.29 of 100."""
    # 0.29 * 100 is 28.999999999999996 in binary, and the error grows with the count.
    return int(count * ratio + max(1e-9, count * 1e-15))


def _keepers(group: Group, scores: FloatArray) -> Array:
    """[size], true for channels that stay so that no member loses all that it holds: the most important that do."""
    held = {_channels_held(member, group.size) for member in group.members} or {frozenset(range(group.size))}
    keepers = np.zeros(group.size, dtype=bool)
    order = np.lexsort((-np.arange(group.size), scores))
    rank = np.empty(group.size, dtype=np.int64)
    rank[order] = np.arange(group.size)
    for channels in sorted(held, key=lambda one: (len(one), sorted(one)[:1])):
        index = np.fromiter(sorted(channels), dtype=np.int64)
        if len(index) and not keepers[index].any():
            keepers[index[np.argmax(rank[index])]] = True
    return keepers


def _channels_held(member: Member, size: int) -> frozenset[int]:
    return frozenset(range(size) if member.channels is None else member.channels) - {-1}


def _permitted(group: Group, units: int, round_to: int, least: int) -> tuple[int, ...]:
    channels = round_to // math.gcd(round_to, _multiplicity(group))
    step = math.lcm(channels, group.blocks) // group.blocks
    greatest = (units - 1) // step * step
    return (0, *(units - kept for kept in range(greatest, 0, -step) if kept >= max(least, 1)))


def _multiplicity(group: Group) -> int:
    """How many positions a channel owns on the axis that the group is named after."""
    outputs = [member for member in group.members if member.role == "output"]
    root = next((member for member in outputs if member.parameter == group.name), next(iter(outputs), None))
    if root is None or root.channels is None:
        return 1
    owned = [channel for channel in root.channels if channel >= 0]
    return max(1, len(owned) // max(1, len(set(owned))))
