"""How much a channel matters: the criteria that core ships, and the score of a group of coupled channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from paredown.contracts import Criterion, FloatArray, State
from paredown.errors import PlanError
from paredown.plan import Group, Member


def l1(slices: Sequence[FloatArray], options: Any) -> FloatArray:  # noqa: ARG001
    """The mean over members of the sum of absolute values (Li et al., 2017, "Pruning Filters for Efficient ConvNets").

    Args:
        slices: One array a member, [channels, elements], float64.
        options: Unused.

    Returns:
        [channels], float64.
    """
    return np.asarray(np.mean([np.abs(values).sum(axis=1) for values in slices], axis=0))


def l2(slices: Sequence[FloatArray], options: Any) -> FloatArray:  # noqa: ARG001
    """The mean over members of the squared Euclidean norm (as in DepGraph, Fang et al., 2023, squared).

    Args:
        slices: One array a member, [channels, elements], float64.
        options: Unused.

    Returns:
        [channels], float64.
    """
    return np.asarray(np.mean([np.square(values).sum(axis=1) for values in slices], axis=0))


def member_slices(member: Member, size: int, state: State) -> FloatArray:
    """What belongs to each channel of a group in one member.

    Args:
        member: The array and the axis; where several positions belong to a channel they are put side by side.
        size: The number of channels of the group.
        state: Arrays in torch's layout.

    Returns:
        [size, elements], float64, elements in C order, so that every backend sums in the same order.

    Raises:
        PlanError: When the axis does not have the length that the group says.
    """
    values = np.moveaxis(np.asarray(state[member.parameter], dtype=np.float64), member.axis, 0)
    if member.channels is not None:
        if len(member.channels) != len(values):
            raise _wrong_length(member, len(member.channels), len(values))
        values = values[_positions(member.channels, size).ravel()]
    elif len(values) != size:
        raise _wrong_length(member, size, len(values))
    return np.ascontiguousarray(values).reshape(size, -1)


def score(group: Group, state: State, criterion: Criterion, options: Any) -> FloatArray:
    """The importance of each channel of a group: the criterion over the slices of its parameters.

    Returns:
        [group.size], float64, greater is more important.

    Raises:
        PlanError: When the criterion returns another shape, or a number that is not finite.
    """
    slices = [member_slices(member, group.size, state) for member in group.members if member.role == "parameter"]
    scores = np.asarray(criterion(slices, options), dtype=np.float64)
    if scores.shape != (group.size,) or not np.isfinite(scores).all():
        raise PlanError(
            "the criterion gave no score that channels can be ordered by",
            where=f"group {group.name}",
            value=f"shape {scores.shape}, {int((~np.isfinite(scores)).sum())} values not finite",
            expected=f"{group.size} finite numbers",
            remedy="look for NaN in the weights, or mend the plugin that supplies the criterion",
        )
    return scores


def _positions(channels: tuple[int, ...], size: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    """[size, positions per channel]: where each channel of the group stands along the member's axis, ascending."""
    index = np.asarray(channels)
    owned = np.flatnonzero(index >= 0)
    return owned[np.argsort(index[owned], kind="stable")].reshape(size, -1)


def _wrong_length(member: Member, expected: int, found: int) -> PlanError:
    return PlanError(
        "a member of a group has another length than the group",
        where=f"{member.parameter}, axis {member.axis}",
        value=str(found),
        expected=str(expected),
        remedy="use the plan with the network that it was made for",
    )
