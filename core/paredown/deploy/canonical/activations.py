"""Activation functions that exporters write in several ways."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from paredown.deploy.canonical.graph import array_of, attributes, constants, consumers, output_names, producers

SIXTH = float(np.float32(1 / 6))
"""The slope of torch's and paddle's hard sigmoid; paddle2onnx writes 0.1666667 instead."""


def settle_activations(model: onnx.ModelProto) -> None:
    """Settles the slope of HardSigmoid, x * HardSigmoid(x) as HardSwish, and Clip from zero to infinity as Relu."""
    graph = model.graph
    for node in graph.node:
        if node.op_type == "HardSigmoid":
            _settle_slope(node)
        if node.op_type == "Clip" and _is_relu(graph, node):
            node.op_type = "Relu"
            del node.input[1:]
    for node in [node for node in graph.node if node.op_type == "Mul"]:
        _fuse_hard_swish(graph, node)


def _settle_slope(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.name == "alpha" and abs(attribute.f - SIXTH) < 1e-6:
            attribute.f = SIXTH


def _is_relu(graph: onnx.GraphProto, node: onnx.NodeProto) -> bool:
    """Whether a Clip has the lower bound zero and no upper one."""
    bounds = [*node.input, "", ""][1:3]
    known = constants(graph)
    if bounds[0] not in known or array_of(known[bounds[0]]).item() != 0.0:
        return False
    return not bounds[1] or (bounds[1] in known and np.isposinf(array_of(known[bounds[1]]).item()))


def _fuse_hard_swish(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    made_by, read_by = producers(graph), consumers(graph)
    for gate_name, value in ((node.input[0], node.input[1]), (node.input[1], node.input[0])):
        gate = made_by.get(gate_name)
        if gate is None or gate.op_type != "HardSigmoid" or list(gate.input) != [value]:
            continue
        options = attributes(gate)
        standard = options.get("alpha", 0.2) == SIXTH and options.get("beta", 0.5) == 0.5
        if standard and len(read_by[gate_name]) == 1 and gate_name not in output_names(graph):
            node.CopyFrom(helper.make_node("HardSwish", [value], list(node.output)))
            graph.node.remove(gate)
            return
