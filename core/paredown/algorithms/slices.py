"""Where the channels of a group stand along its members, and what belongs to each of them."""

from __future__ import annotations

import numpy as np

from paredown.contracts import FloatArray, IntArray, State
from paredown.errors import PlanError
from paredown.plan import Member


def axis_channels(member: Member, size: int, state: State) -> IntArray:
    """The channel of a group that each position along a member's axis belongs to, -1 for another group's.

    Args:
        member: The array and the axis.
        size: The number of channels of the group.
        state: Arrays in torch's layout.

    Returns:
        [positions].

    Raises:
        PlanError: The array is absent, its axis has another length, or a channel lies beyond the group.
    """
    channels = np.arange(size) if member.channels is None else np.asarray(member.channels, dtype=np.int64)
    found = np.shape(state[member.parameter]) if member.parameter in state else None
    if found is None or member.axis >= len(found) or found[member.axis] != len(channels):
        raise PlanError(
            "a member of a group does not fit this network",
            where=f"{member.parameter}, axis {member.axis}",
            value="absent" if found is None else f"shape {found}",
            expected=f"{len(channels)} long",
            remedy="use the groups with the network that they were found in",
        )
    if len(channels) and int(channels.max()) >= size:
        raise PlanError(
            "a member of a group holds a channel that the group does not have",
            where=f"{member.parameter}, axis {member.axis}",
            value=int(channels.max()),
            expected=f"less than {size}",
            remedy="find the groups again",
        )
    return channels


def positions_per_channel(channels: IntArray, size: int) -> IntArray:
    """How many positions each channel owns: [size], from `axis_channels`."""
    return np.bincount(channels[channels >= 0], minlength=size)


def member_slices(member: Member, size: int, state: State, chosen: IntArray | None = None) -> FloatArray:
    """What belongs to channels of a group in one member.

    Args:
        member: The array and the axis; where several positions belong to a channel they are put side by side.
        size: The number of channels of the group.
        state: Arrays in torch's layout.
        chosen: Channels, ascending, that own equally many positions; None for all.

    Returns:
        [chosen, elements], float64, elements in C order, so that every backend sums in the same order.

    Raises:
        PlanError: When the member does not fit the state.
    """
    channels = axis_channels(member, size, state)
    values = np.moveaxis(np.asarray(state[member.parameter]), member.axis, 0)
    if member.channels is not None or (chosen is not None and len(chosen) != size):
        values = values[_positions(channels, size, chosen)]
    rows = size if chosen is None else len(chosen)
    return np.ascontiguousarray(values, dtype=np.float64).reshape(rows, -1)


def _positions(channels: IntArray, size: int, chosen: IntArray | None) -> IntArray:
    """Where the chosen channels stand: channel by channel, the positions of each ascending."""
    wanted = np.zeros(size + 1, dtype=bool)
    wanted[slice(size) if chosen is None else chosen] = True
    owned = np.flatnonzero(wanted[channels])
    return np.asarray(owned[np.argsort(channels[owned], kind="stable")])
