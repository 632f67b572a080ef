"""The score of a group of coupled channels: a criterion over all that is known about each channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.algorithms.criteria.chance import seeded
from paredown.algorithms.reading import Reading, read_activity
from paredown.algorithms.slices import axis_channels, member_slices, positions_per_channel
from paredown.contracts import Activity, Axis, ChannelSlices, Criterion, FloatArray, IntArray, State
from paredown.errors import PlanError
from paredown.plan import Group, Member


def score(
    group: Group,
    state: State,
    criterion: Criterion,
    options: Any,
    *,
    gradients: Mapping[Axis, FloatArray] | None = None,
    activity: Mapping[str, Activity] | None = None,
    seed: int = 0,
) -> FloatArray | None:
    """The importance of each channel of a group.

    The criterion is asked once for all channels that own equally many positions in the same members; in a plain group
    these are all channels.

    Args:
        group: Coupled channels; every member but the running statistics is scored.
        state: Arrays in torch's layout.
        criterion: Scores channels.
        options: The criterion's own.
        gradients: Weight times gradient by axis, [batches, positions]; for all members, or none at all.
        activity: By layer, over its input channels.
        seed: The run's; the generator that the criterion gets depends on it and the group's name.

    Returns:
        [group.size], float64, greater is more important; None where the criterion has nothing to go by.

    Raises:
        PlanError: A member does not fit the state, gradients of a member are missing, or the criterion returns another
            shape or a number that is not finite.
    """
    members = [member for member in group.members if member.role != "buffer"]
    index = [axis_channels(member, group.size, state) for member in members]
    counts = np.stack([positions_per_channel(channels, group.size) for channels in index])
    readings = [] if not activity else read_activity(group, state, activity)
    random = seeded(seed, group.name)
    scores = np.empty(group.size)
    for segment in _segments(counts):
        owned = np.flatnonzero(counts[:, segment[0]])
        if not len(owned):
            raise _in_no_parameter(group, segment)
        slices = ChannelSlices(
            group=group.name,
            parameters=tuple(members[i].parameter for i in owned),
            roles=tuple(members[i].role for i in owned),
            weights=tuple(member_slices(members[i], group.size, state, segment) for i in owned),
            gradients=tuple(_gradient(members[i], index[i], group, segment, gradients) for i in owned)
            if gradients
            else (),
            activity=_activity(readings, segment),
            random=random,
        )
        found = criterion(slices, options)
        if found is None:
            return None
        scores[segment] = _checked(found, group, len(segment))
    return scores


def _segments(counts: IntArray) -> list[IntArray]:
    """Channels by what they own, each part ascending, in the order of their first channels."""
    if (counts == counts[:, :1]).all():
        return [np.arange(counts.shape[1])]
    _, part = np.unique(counts.T, axis=0, return_inverse=True)
    part = part.reshape(-1)
    return [np.flatnonzero(part == value) for value in dict.fromkeys(part.tolist())]


def _gradient(
    member: Member, channels: IntArray, group: Group, segment: IntArray, gradients: Mapping[Axis, FloatArray]
) -> FloatArray:
    """[channels of the segment, batches]: weight times gradient, summed over the positions of each channel."""
    found = gradients.get((member.parameter, member.axis))
    if found is None or np.ndim(found) != 2 or np.shape(found)[1] != len(channels):
        raise PlanError(
            "the gradients measured do not fit the group",
            where=f"{member.parameter}, axis {member.axis}, group {group.name}",
            value="absent" if found is None else f"shape {np.shape(found)}",
            expected=f"[batches, {len(channels)}]",
            remedy="measure gradients on the network as it is now, on the axes of all members",
        )
    owned = np.flatnonzero(channels >= 0)
    sums = np.zeros((group.size, len(found)))
    np.add.at(sums, channels[owned], np.asarray(found, dtype=np.float64).T[owned])
    return np.asarray(sums[segment])


def _activity(readings: list[Reading], segment: IntArray) -> tuple[Activity, ...]:
    """What the layers that read every channel of a segment see of them."""
    return tuple(
        Activity(reading.activity.mean_absolute[segment], reading.activity.zeros[segment])
        for reading in readings
        if reading.reads[segment].all()
    )


def _checked(found: FloatArray, group: Group, count: int) -> FloatArray:
    scores = np.asarray(found, dtype=np.float64)
    if scores.shape != (count,) or not np.isfinite(scores).all():
        raise PlanError(
            "the criterion gave no score that channels can be ordered by",
            where=f"group {group.name}",
            value=f"shape {scores.shape}, {int((~np.isfinite(scores)).sum())} values not finite",
            expected=f"{count} finite numbers",
            remedy="look for NaN in the weights, or mend the plugin that supplies the criterion",
        )
    return scores


def _in_no_parameter(group: Group, segment: IntArray) -> PlanError:
    return PlanError(
        "channels of a group are in none of its members",
        where=f"group {group.name}",
        value=f"channels {segment[:5].tolist()}{'...' if len(segment) > 5 else ''}",
        expected="each channel in at least one parameter",
        remedy="find the groups again: these do not describe a network",
    )
