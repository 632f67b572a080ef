"""Operators that work on each element: of one tensor, or of several that are spread over one another."""

from __future__ import annotations

import numpy as np
import onnx

from paredown.deploy.coupling.classes import NEUTRAL
from paredown.deploy.coupling.tensors import Constant, Labels, Tensor
from paredown.deploy.coupling.trace import Trace
from paredown.plan import MemberRole

CODE = "its channels meet a constant of the network's code, whose size is fixed"
ALIKE = "several parameters hold equal values, and the graph does not tell which of them its channels meet"
SPREAD = "a single channel is spread over several others"


def passing(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """What changes no shape and mixes no elements; further outputs repeat the first."""
    return [trace.tensor(node.input[0])] * len(node.output)


def spreading(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """Elementwise operators of several tensors: elements that meet belong to one channel."""
    first, *others = sorted(trace.inputs(node), key=lambda tensor: isinstance(tensor, Constant))
    for other in others:
        first = combine(trace, first, other)
    return [first]


def combine(trace: Trace, one: Tensor, other: Tensor, role: MemberRole = "other") -> Tensor:
    """What two tensors give that are spread over one another; the first is no constant."""
    assert isinstance(one, Labels)
    if isinstance(other, Constant):
        return _with_constant(trace, one, other, role)
    return _with_labels(trace, one, other)


def _with_labels(trace: Trace, one: Labels, other: Labels) -> Labels:
    rank = max(len(one.shape), len(other.shape))
    one, other = _ranked(one, rank), _ranked(other, rank)
    shape = np.broadcast_shapes(one.shape, other.shape)
    spread = [_spread_over(one, other), _spread_over(other, one)]
    if any(spread):
        for tensor, is_spread in zip((one, other), spread, strict=True):
            if is_spread:
                trace.pin(tensor, SPREAD)
        if all(spread):
            return trace.pinned(shape, SPREAD)
        return Labels((other if spread[0] else one).values, shape)
    for tensor, partner in ((one, other), (other, one)):
        if np.all(tensor.values == NEUTRAL) and any(tensor.shape[axis] > 1 for axis in partner.varying()):
            trace.pin(partner, CODE)
    trace.classes.union(one.values, other.values)
    left, right = np.broadcast_arrays(one.values, other.values)
    return Labels(np.where(left == NEUTRAL, right, left), shape)


def _spread_over(tensor: Labels, other: Labels) -> bool:
    """Whether a tensor has one position on an axis along which the other has channels."""
    axes = other.varying()
    return any(tensor.shape[axis] == 1 and other.shape[axis] > 1 for axis in axes)


def _with_constant(trace: Trace, tensor: Labels, constant: Constant, role: MemberRole) -> Labels:
    rank = max(len(tensor.shape), len(constant.shape))
    tensor = _ranked(tensor, rank)
    lengths = (1,) * (rank - len(constant.shape)) + constant.shape
    shape = np.broadcast_shapes(tensor.shape, lengths)
    if any(axis_length > tensor.shape[axis] for axis, axis_length in enumerate(lengths) if axis > 0):
        trace.pin(tensor, SPREAD)
        trace.pin(constant, CODE)
        return trace.pinned(shape, CODE)
    for axis in tensor.varying():
        if lengths[axis] > 1:
            meet(trace, tensor, axis, constant, axis - rank, role)
    return Labels(tensor.values, shape)


def meet(trace: Trace, tensor: Labels, axis: int, constant: Constant, place: int, role: MemberRole = "other") -> None:
    """Binds the axis of a parameter that runs along channels of a tensor; a constant of the code pins them.

    `axis` is the tensor's, `place` the constant's, counted from its end.
    """
    channels = trace.channels(tensor, axis)
    held = constant.axes[place] if constant.parameter is not None else None
    if constant.parameter is not None and held is not None:
        trace.parameters.bind(constant.parameter, held, channels, role)
    elif not constant.candidates:
        trace.pin(tensor, CODE)
    elif not any(
        (found := axes[place]) is not None and trace.parameters.holds(name, found, channels)
        for name, axes in constant.candidates
    ):
        trace.pin(tensor, ALIKE)


def _ranked(tensor: Labels, rank: int) -> Labels:
    missing = (1,) * (rank - len(tensor.shape))
    return Labels(tensor.values.reshape(missing + tensor.values.shape), missing + tensor.shape)
