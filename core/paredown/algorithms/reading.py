"""Which layers read the channels of a group, and what they see of each channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.slices import axis_channels
from paredown.contracts import Activity, Array, FloatArray, IntArray, State
from paredown.errors import PlanError
from paredown.plan import Group, Member


@dataclass(frozen=True, slots=True)
class Reading:
    """One layer's view of a group: `reads`, [group.size], says which channels it sees; statistics are 0 where not."""

    layer: str
    reads: Array
    activity: Activity


def read_activity(group: Group, state: State, activity: Mapping[str, Activity]) -> list[Reading]:
    """What each measured layer sees of a group's channels, in the order of the members.

    A layer reads through its weight's `input` axis; a convolution in blocks has an axis of inputs / blocks positions,
    where input channel p is position p modulo that length. A depthwise layer reads through its `output` axis. A channel
    that is several of a layer's inputs (a flattened image) gets their mean.

    Args:
        group: Coupled channels.
        state: Arrays in torch's layout.
        activity: By layer, over its input channels.

    Raises:
        PlanError: The statistics of a layer do not fit its inputs.
    """
    readings = []
    for member in group.members:
        layer, _, leaf = member.parameter.rpartition(".")
        if leaf != "weight" or layer not in activity or member.role not in ("input", "output"):
            continue
        channels = axis_channels(member, group.size, state)
        inputs = len(activity[layer].mean_absolute)
        positions = _input_positions(member, np.shape(state[member.parameter]), len(channels), inputs)
        if positions is not None:
            readings.append(_reading(layer, channels[positions], activity[layer], group.size))
    return readings


def may_be_depthwise(shape: tuple[int, ...]) -> bool:
    """Whether a weight of this shape ([out, in / blocks, ...]) may be a depthwise convolution's."""
    return len(shape) > 2 and shape[1] == 1 and shape[0] > 1


def _input_positions(member: Member, shape: tuple[int, ...], length: int, inputs: int) -> IntArray | None:
    """For each input channel of a layer its position along a member's axis; None where the axis reads nothing."""
    if member.role == "input":
        if not length or inputs % length:
            raise PlanError(
                "the activations measured do not fit the layer",
                where=f"{member.parameter}, axis {member.axis}",
                value=f"{inputs} input channels",
                expected=f"a multiple of {length}",
                remedy="measure activations on the network as it is now",
            )
        return np.arange(inputs) % length
    # With one input a convolution to many channels has the same shape: it reads an image, not the group.
    passes_through = member.axis == 0 and may_be_depthwise(shape) and inputs > 1 and length % inputs == 0
    return np.arange(inputs) * (length // inputs) if passes_through else None


def _reading(layer: str, channels: IntArray, activity: Activity, size: int) -> Reading:
    owned = channels >= 0
    counts = np.bincount(channels[owned], minlength=size)

    def mean(values: FloatArray) -> FloatArray:
        sums = np.bincount(channels[owned], weights=np.asarray(values, dtype=np.float64)[owned], minlength=size)
        return np.asarray(sums / np.maximum(counts, 1))

    return Reading(layer, counts > 0, Activity(mean(activity.mean_absolute), mean(activity.zeros)))
