"""Layers that are joined by nothing but positive homogeneous functions: f(s * x) = s * f(x) for s > 0."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from paredown.deploy.canonical.graph import attributes, consumers, output_names
from paredown.deploy.places import Call, layer_calls

HOMOGENEOUS = ("AveragePool", "GlobalAveragePool", "LeakyRelu", "MaxPool", "Relu")
"""Functions that let the scale of a channel through. Flattening does too, and turns a channel into several features."""
BENT = ("Clip", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "Mish", "Selu", "Sigmoid", "Softplus", "Tanh")
"""Functions of a single value that do not."""


@dataclass(frozen=True, slots=True)
class Joint:
    """Two layers, the second of which alone reads what the first gives; `bent` is the function that prevents scaling.

    `first` and `second` are called once, and share their weights and biases with no other layer.
    """

    first: Call
    second: Call
    bent: str | None = None


def find_joints(graph: onnx.GraphProto) -> list[Joint]:
    """All joints, in the graph's order of their first layers."""
    read_by = consumers(graph)
    own = {
        call.node.output[0]: call
        for call in layer_calls(graph)
        if all(len(read_by[name]) == 1 for name in (call.weight, call.bias) if name is not None)
    }
    found = []
    for call in own.values():
        joint = _follow(graph, call, own, read_by)
        if joint is not None:
            found.append(joint)
    return found


def _follow(
    graph: onnx.GraphProto, first: Call, own: dict[str, Call], read_by: dict[str, list[onnx.NodeProto]]
) -> Joint | None:
    """The joint that begins with a layer, if its output runs unbranched into another one."""
    outputs, bent = output_names(graph), None
    name = first.node.output[0]
    while name not in outputs and len(read_by.get(name, [])) == 1:
        node = read_by[name][0]
        if node.output[0] in own:
            return Joint(first, own[node.output[0]], bent)
        if len(node.output) != 1 or not _lets_through(node):
            return None
        if node.op_type in BENT:
            bent = bent or node.op_type
        name = node.output[0]
    return None


def _lets_through(node: onnx.NodeProto) -> bool:
    """Whether each channel of the output comes from the same channel of the input."""
    if node.op_type == "Flatten":
        return bool(attributes(node).get("axis", 1) == 1)
    return node.op_type in HOMOGENEOUS or node.op_type in BENT
