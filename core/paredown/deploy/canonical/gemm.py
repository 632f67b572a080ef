"""Linear layers as Gemm with the weight as [out, in]."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from paredown.deploy.canonical.graph import (
    add_constant,
    array_of,
    attributes,
    constants,
    consumers,
    output_names,
    static_shapes,
)


def settle_gemm(model: onnx.ModelProto) -> None:
    """Rewrites MatMul with a constant, and the Add of a constant after it, as Gemm; weights as [out, in]."""
    shapes = static_shapes(model)
    graph = model.graph
    for node in [node for node in graph.node if node.op_type == "MatMul"]:
        if node.input[1] in constants(graph) and len(shapes.get(node.input[0], ())) == 2:
            node.CopyFrom(helper.make_node("Gemm", list(node.input), list(node.output)))
            _absorb_bias(graph, node)
    for node in graph.node:
        if node.op_type == "Gemm" and node.input[1] in constants(graph):
            _transpose_weight(graph, node)


def _absorb_bias(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    readers = consumers(graph).get(node.output[0], [])
    if len(readers) != 1 or readers[0].op_type != "Add" or node.output[0] in output_names(graph):
        return
    add, known = readers[0], constants(graph)
    others = [name for name in add.input if name != node.output[0]]
    width = known[node.input[1]].dims[1]
    if len(others) == 1 and others[0] in known and array_of(known[others[0]]).shape in ((width,), (1, width)):
        if len(known[others[0]].dims) == 2:
            add_constant(graph, others[0], array_of(known[others[0]]).reshape(width))
        node.input.append(others[0])
        node.output[0] = add.output[0]
        graph.node.remove(add)


def _transpose_weight(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    """Sets transB, turning the weight where it is [in, out]; every Gemm that shares the weight is turned with it."""
    if attributes(node).get("transB", 0):
        return
    name = node.input[1]
    sharing = list(consumers(graph)[name])
    if any(
        other.op_type != "Gemm" or other.input[1] != name or attributes(other).get("transB", 0) for other in sharing
    ):
        return
    add_constant(graph, name, np.ascontiguousarray(array_of(constants(graph)[name]).T))
    for other in sharing:
        kept = [attribute for attribute in other.attribute if attribute.name != "transB"]
        del other.attribute[:]
        other.attribute.extend([*kept, helper.make_attribute("transB", 1)])
