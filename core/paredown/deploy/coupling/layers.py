"""Operators with weights: convolutions, linear layers, normalisations."""

from __future__ import annotations

import numpy as np
import onnx

from paredown.deploy.canonical.graph import attributes
from paredown.deploy.coupling.elementwise import combine, meet
from paredown.deploy.coupling.tensors import Constant, Labels, Tensor, along, uniform
from paredown.deploy.coupling.trace import Constraint, Trace, leave_whole
from paredown.plan import MemberRole

UNIDENTIFIED = "its weights are not the network's as they are in the graph"


def convolution(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """Conv: the input channels lie on the weight's axis 1, the outputs on axis 0 (depthwise: both on axis 0)."""
    images, weight = trace.tensor(node.input[0]), trace.tensor(node.input[1])
    name, shape = _parameter(weight), trace.shape(node)
    if not isinstance(images, Labels) or name is None or shape is None:
        return leave_whole(trace, node, UNIDENTIFIED)
    groups, channels, outputs = int(attributes(node).get("group", 1)), images.shape[1], shape[1]
    found = trace.channels(images, 1)
    if groups == channels == outputs and groups > 1:
        return [along(trace.parameters.bind_outputs(name, 0, found, root=False), 1, shape)]
    if groups == channels > 1:
        return _whole_layer(trace, node, name, 0, "it makes several outputs of each input channel")
    rows = found.reshape(groups, -1)
    trace.classes.union(rows[:1], rows)
    trace.parameters.bind(name, 1, rows[0], "input")
    made = trace.parameters.bind_outputs(name, 0, None, root=True)
    if groups > 1:
        reason = "convolutions in blocks and other uses of these channels ask for different blocks"
        trace.constraints.append(Constraint(made.reshape(groups, -1), reason))
    return [along(made, 1, shape)]


def transposed_convolution(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """ConvTranspose: the input channels lie on the weight's axis 0, the outputs on axis 1."""
    images, weight = trace.tensor(node.input[0]), trace.tensor(node.input[1])
    name, shape = _parameter(weight), trace.shape(node)
    if not isinstance(images, Labels) or name is None or shape is None:
        return leave_whole(trace, node, UNIDENTIFIED)
    if int(attributes(node).get("group", 1)) > 1:
        return _whole_layer(trace, node, name, 1, "it is a transposed convolution in blocks")
    trace.parameters.bind(name, 0, trace.channels(images, 1), "input")
    return [along(trace.parameters.bind_outputs(name, 1, None, root=True), 1, shape)]


def gemm(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """Gemm: a linear layer on vectors, its weight [out, in] or turned."""
    options = attributes(node)
    if options.get("transA", 0) or len(node.input) < 2:
        return leave_whole(trace, node, "its channels meet a Gemm that is no linear layer")
    return linear(trace, node, turned=not options.get("transB", 0))


def matmul(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """MatMul: a linear layer where the second operand is constant, [in, out]; else both are left whole."""
    if isinstance(trace.tensor(node.input[0]), Labels) and isinstance(trace.tensor(node.input[1]), Constant):
        return linear(trace, node, turned=True)
    return leave_whole(trace, node, "its channels are multiplied as a matrix with computed ones, as in attention")


def linear(trace: Trace, node: onnx.NodeProto, *, turned: bool) -> list[Tensor]:
    """A linear layer over the last axis; `turned` says that the graph's constant is [in, out]."""
    vectors, weight = trace.tensor(node.input[0]), trace.tensor(node.input[1])
    name, shape = _parameter(weight), trace.shape(node)
    if not isinstance(vectors, Labels) or not isinstance(weight, Constant) or name is None or shape is None:
        return leave_whole(trace, node, UNIDENTIFIED)
    axis_in, axis_out = weight.axes if turned else weight.axes[::-1]
    if len(weight.axes) != 2 or axis_in is None or axis_out is None:
        return leave_whole(trace, node, UNIDENTIFIED)
    trace.parameters.bind(name, axis_in, trace.channels(vectors, len(vectors.shape) - 1), "input")
    made = trace.parameters.bind_outputs(name, axis_out, None, root=True)
    return [along(made, len(shape) - 1, shape)]


def normalization(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """BatchNormalization and InstanceNormalization: one scale and one shift for each channel on axis 1."""
    images = trace.tensor(node.input[0])
    if not isinstance(images, Labels):
        return leave_whole(trace, node, UNIDENTIFIED)
    channels = trace.channels(images, 1)
    roles: tuple[MemberRole, ...] = ("scale", "shift", "buffer", "buffer")
    for index, (name, role) in enumerate(zip(node.input[1:], roles, strict=False), start=1):
        held = trace.tensor(name)
        if not isinstance(held, Constant):
            trace.pin(images, UNIDENTIFIED)
        elif held.parameter is not None or held.candidates or not _is_filled(trace, node, index):
            meet(trace, along(channels, 1, images.shape), 1, held, -1, role)
    return [along(channels, 1, images.shape)]


def layer_normalization(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """LayerNormalization: a scale and a shift for each position of the last axes."""
    result = trace.tensor(node.input[0])
    roles: tuple[MemberRole, ...] = ("scale", "shift")
    for name, role in zip(node.input[1:], roles, strict=False):
        if name:
            result = combine(trace, result, trace.tensor(name), role)
    return [result, *(trace.pinned(trace.shape(node, i), UNIDENTIFIED) for i in range(1, len(node.output)))]


def _whole_layer(trace: Trace, node: onnx.NodeProto, weight: str, axis: int, reason: str) -> list[Tensor]:
    """Leaves a layer whole, with what it reads."""
    trace.pin(trace.tensor(node.input[0]), reason)
    label = trace.classes.pinned(reason)
    trace.parameters.bind_whole(weight, axis, label)
    return [uniform(label, trace.shape(node) or ())]


def _parameter(tensor: Tensor) -> str | None:
    return tensor.parameter if isinstance(tensor, Constant) else None


def _is_filled(trace: Trace, node: onnx.NodeProto, index: int) -> bool:
    """Whether an exporter filled in a constant for what the layer does not have, all ones or all zeros."""
    values = trace.value(node, index)
    return values is not None and values.size > 0 and bool(np.all(values == values.flat[0]))
