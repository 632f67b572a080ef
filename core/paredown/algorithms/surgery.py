"""What a cut leaves of the arrays: the reference that every backend's surgery is held against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paredown.contracts import Array, State
from paredown.errors import PlanError
from paredown.plan import Cut, Member


def cut_state(state: State, cuts: Sequence[Cut]) -> dict[str, Array]:
    """Removes the channels of a plan from arrays in torch's layout.

    Raises:
        PlanError: When a member is not in the state, or its axis has another length than the plan says.
    """
    result = dict(state)
    removed: dict[tuple[str, int], set[int]] = {}
    for cut in cuts:
        for member in cut.group.members:
            gone = removed.setdefault((member.parameter, member.axis), set())
            gone.update(positions_removed(member, cut, state))
    for (name, axis), gone in removed.items():
        result[name] = np.delete(result[name], sorted(gone), axis=axis)
    return result


def positions_removed(member: Member, cut: Cut, state: State) -> list[int]:
    """The positions along a member's axis that a cut removes, ascending."""
    channels = range(cut.group.size) if member.channels is None else member.channels
    found = state[member.parameter].shape[member.axis] if member.parameter in state else None
    if found != len(channels):
        raise PlanError(
            "the plan does not fit this network",
            where=f"{member.parameter}, axis {member.axis}",
            value="absent" if found is None else f"{found} long",
            expected=f"{len(channels)} long",
            remedy="replay the plan on the base network that it was made for, after the plans before it",
        )
    if member.channels is None:
        return list(cut.remove)
    remove = set(cut.remove)
    return [position for position, channel in enumerate(channels) if channel in remove]
