"""Cross-layer equalization: channels between two layers are rescaled so that both weights use their range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paredown.contracts import Array, Corrected, CorrectionRun
from paredown.deploy.canonical.graph import array_of, attributes, constants
from paredown.deploy.corrections.joints import Joint, find_joints
from paredown.deploy.places import Call
from paredown.spec.components import Equalization

if TYPE_CHECKING:
    from paredown.contracts import FloatArray

STILL = 1e-3
"""Equalization is over when no factor of a round is further from 1."""


def equalize(run: CorrectionRun, options: Equalization) -> Corrected:
    """Divides the output channels of a layer by s and multiplies the next layer's input channels by it.

    Nagel et al., 2019, "Data-Free Quantization", section 4.1: s = sqrt(r1 / r2) makes the ranges r1 and r2 of a channel
    in both weights equal. All pairs take their turn until nothing moves; a depthwise layer is the second of one pair
    and the first of the next, so that the ranges of all three become equal. It needs no images, and the float network
    computes the same.

    A pair with a function between that is not positive homogeneous (ReLU6, a Clip to the exporters) is left as it is
    and named in the evidence. A channel that is zero in either layer keeps its scale. No channel grows so far that its
    bias would exceed the layer's largest: a channel with tiny weights and an ordinary bias (common behind a folded
    BatchNorm) would widen the range of the activations for nothing.

    Args:
        run: The network.
        options: How many rounds at most.

    Returns:
        The new weights and biases, float32. Evidence: `pairs`; `rounds`; `left`, the pairs that were left as they are,
        each with the function between; `spread`, the greatest channel range by the median one, before and after, in
        the layer where it was greatest.
    """
    joints = find_joints(run.graph.graph)
    usable = [joint for joint in joints if joint.bent is None]
    known = constants(run.graph.graph)
    calls = [call for joint in usable for call in (joint.first, joint.second)]
    names = dict.fromkeys(name for call in calls for name in (call.weight, call.bias) if name is not None)
    before: dict[str, Array] = {name: array_of(known[name]).astype(np.float64) for name in names}
    after = {name: values.copy() for name, values in before.items()}
    rounds = 0
    while usable and rounds < options.iterations:
        rounds += 1
        if max([_balance(joint, after, before) for joint in usable]) <= STILL:
            break
    changed = {name: after[name].astype(np.float32) for name in names if not np.array_equal(before[name], after[name])}
    return Corrected(
        changed,
        same_function=True,
        evidence={
            "pairs": [_title(joint) for joint in usable],
            "rounds": rounds,
            "left": {_title(joint): f"{joint.bent} between them" for joint in joints if joint.bent is not None},
            "spread": {"before": _spread(usable, before), "after": _spread(usable, after)},
        },
    )


def _balance(joint: Joint, arrays: dict[str, Array], original: dict[str, Array]) -> float:
    """Equalizes one pair in place; returns how far the furthest factor was from 1."""
    first, second = joint.first, joint.second
    weight = arrays[first.weight]
    ranges = _output_ranges(weight)
    columns, groups = _by_input(second, arrays[second.weight])
    # Of a flattened image, several features come from one channel.
    inputs = np.max(np.abs(columns), axis=(1, 3)).reshape(len(ranges), -1).max(axis=1)
    usable = (ranges > 0) & (inputs > 0)
    factor = np.sqrt(np.divide(ranges, inputs, where=usable, out=np.ones_like(ranges)))
    if first.bias is not None:
        bias = np.abs(arrays[first.bias])
        largest = float(np.max(np.abs(original[first.bias])))
        least = bias / largest if largest > 0 else np.zeros_like(bias)
        # A channel whose bias is the largest may shrink, and not grow.
        factor = np.where(usable, np.maximum(factor, least), 1.0)
        arrays[first.bias] = arrays[first.bias] / factor
    arrays[first.weight] = weight / factor.reshape((-1,) + (1,) * (weight.ndim - 1))
    features = np.repeat(factor, columns.shape[0] * columns.shape[2] // len(factor))
    scaled = columns * features.reshape(groups, 1, -1, 1)
    arrays[second.weight] = scaled.reshape(arrays[second.weight].shape)
    return float(np.max(np.abs(factor - 1.0)))


def _by_input(call: Call, weight: FloatArray) -> tuple[FloatArray, int]:
    """A weight as [groups, out of a group, in of a group, elements], and the number of groups."""
    groups = int(attributes(call.node).get("group", 1))
    return weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1), groups


def _output_ranges(weight: FloatArray) -> FloatArray:
    """The greatest absolute weight of each output channel."""
    ranges: FloatArray = np.abs(weight).reshape(len(weight), -1).max(axis=1)
    return ranges


def _spread(joints: list[Joint], arrays: dict[str, Array]) -> float:
    """The greatest range of an output channel by the median one, in the layer where that is greatest."""
    ranges = [_output_ranges(arrays[joint.first.weight]) for joint in joints]
    return max((float(found.max() / np.median(found)) for found in ranges if np.median(found) > 0), default=1.0)


def _title(joint: Joint) -> str:
    return f"{joint.first.layer} -> {joint.second.layer}"
