"""The groups of coupled channels of a network, and what cuts make of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paredown.contracts import Axis, IntArray
from paredown.errors import PlanError
from paredown.plan import Cut, Group, Member

SINGLE = "all its output channels go together, and one must stay"
"""Why a layer is left whole whose group has one channel."""
NARROW = "every block has one channel, and one must stay"
"""Why a layer is left whole that makes one channel for each block."""


@dataclass(frozen=True, slots=True)
class GroupSet:
    """The groups that may be cut, in the order of the network's parameters, and what was left whole, with reasons."""

    groups: tuple[Group, ...]
    left_whole: Mapping[str, str]


def after_cuts(groups: GroupSet, cuts: Sequence[Cut]) -> GroupSet:
    """The groups of the network that is left once cuts are made.

    Channels and positions are numbered anew and nothing else changes; a group of which nothing more can go leaves the
    set, and its layers are named among those left whole.

    Args:
        groups: The groups before the cuts.
        cuts: Cuts of these groups, at most one of each, as one plan holds them.

    Raises:
        PlanError: A cut is of a group that is not in the set, or removes every channel of it or of one of its layers.
    """
    removed = _removed_channels(groups, cuts)
    gone = _removed_positions(cuts)
    kept: list[Group] = []
    whole = dict(groups.left_whole)
    for group in groups.groups:
        smaller = _renumbered(group, removed.get(group.name, ()), gone)
        reason = why_whole(smaller.size, smaller.blocks)
        if reason is None:
            kept.append(smaller)
        else:
            whole.update(dict.fromkeys(output_layers(smaller), reason))
    return GroupSet(tuple(kept), whole)


def why_whole(size: int, blocks: int = 1) -> str | None:
    """Why nothing can go of a group of so many channels in so many blocks; None where something can."""
    if size == 1:
        return SINGLE
    return None if size > blocks else NARROW


def output_layers(group: Group) -> tuple[str, ...]:
    """The layers whose output channels are in a group, in the network's order."""
    names = (layer_of(member.parameter) for member in group.members if member.role == "output")
    return tuple(dict.fromkeys(names))


def layer_of(parameter: str) -> str:
    """The layer that a parameter belongs to: `layer1.0.conv1` for `layer1.0.conv1.weight`."""
    return parameter.rpartition(".")[0]


def channels_of(member: Member, size: int) -> IntArray:
    """The group's channel of each position along a member's axis, [positions], int64; -1 for another group's."""
    return np.arange(size) if member.channels is None else np.asarray(member.channels, dtype=np.int64)


def member_channels(channels: IntArray, size: int) -> tuple[int, ...] | None:
    """The map of a member in its plain form: None where position p holds channel p of `size`."""
    identity = len(channels) == size and bool(np.array_equal(channels, np.arange(size)))
    return None if identity else tuple(channels.tolist())


def _removed_channels(groups: GroupSet, cuts: Sequence[Cut]) -> dict[str, tuple[int, ...]]:
    known = {group.name: group for group in groups.groups}
    removed: dict[str, tuple[int, ...]] = {}
    for cut in cuts:
        name = cut.group.name
        if known.get(name) != cut.group or name in removed:
            raise PlanError(
                "the plan cuts a group twice" if name in removed else "the plan's group is not one of this network",
                where=name,
                expected="a cut of each group as the network has it now",
                remedy="replay the plan on the network that it was made for, after the plans before it",
            )
        if len(set(cut.remove)) >= cut.group.size:
            raise PlanError(
                "the plan removes every channel of a group",
                where=name,
                value=f"{len(cut.remove)} channels",
                expected=f"at most {cut.group.size - 1}",
                remedy="keep at least one channel of each group",
            )
        removed[name] = cut.remove
    return removed


def _removed_positions(cuts: Iterable[Cut]) -> dict[Axis, IntArray]:
    """For each axis that loses positions, those that all cuts together remove."""
    gone: dict[Axis, IntArray] = {}
    for cut in cuts:
        for member in cut.group.members:
            axis = (member.parameter, member.axis)
            positions = np.flatnonzero(np.isin(channels_of(member, cut.group.size), cut.remove))
            gone[axis] = np.union1d(gone[axis], positions) if axis in gone else positions
    return gone


def _renumbered(group: Group, removed: Sequence[int], gone: Mapping[Axis, IntArray]) -> Group:
    stays = np.ones(group.size, dtype=bool)
    stays[list(removed)] = False
    number = np.append(np.where(stays, np.cumsum(stays) - 1, -1), -1)  # the last for positions of other groups
    size = int(stays.sum())
    members = []
    for member in group.members:
        channels = number[channels_of(member, group.size)]
        channels = np.delete(channels, gone.get((member.parameter, member.axis), np.empty(0, dtype=np.int64)))
        if not len(channels):
            raise PlanError(
                "the plan removes every position of an axis",
                where=f"{member.parameter}, axis {member.axis}",
                remedy="keep a channel of each layer: not every channel of a group is in each of its layers",
            )
        if np.any(channels >= 0):
            members.append(member.model_copy(update={"channels": member_channels(channels, size)}))
    return group.model_copy(update={"size": size, "members": tuple(members)})
