"""Concatenations of concatenations."""

from __future__ import annotations

import onnx

from paredown.deploy.canonical.graph import attributes, consumers, output_names, producers, static_shapes


def flatten_concats(model: onnx.ModelProto) -> None:
    """Lets a Concat read the operands of the Concats before it; those that nobody reads any more are dropped."""
    graph = model.graph
    made_by = producers(graph)
    for node in graph.node:
        if node.op_type == "Concat":
            # The graph is sorted: an earlier Concat is flat already.
            operands = [operand for name in node.input for operand in _operands(made_by.get(name), name, node)]
            del node.input[:]
            node.input.extend(operands)
    while unread := [node for node in graph.node if node.op_type == "Concat" and not _is_read(graph, node)]:
        for node in unread:
            graph.node.remove(node)


def settle_axes(model: onnx.ModelProto) -> None:
    """Counts the axis of each Concat from the first one, where the rank is known."""
    shapes = static_shapes(model)
    for node in model.graph.node:
        rank = len(shapes.get(node.output[0], ()))
        for attribute in node.attribute:
            if node.op_type == "Concat" and attribute.name == "axis" and attribute.i < 0 < rank:
                attribute.i += rank


def _operands(producer: onnx.NodeProto | None, name: str, reader: onnx.NodeProto) -> list[str]:
    if producer is not None and producer.op_type == "Concat" and attributes(producer) == attributes(reader):
        return list(producer.input)
    return [name]


def _is_read(graph: onnx.GraphProto, node: onnx.NodeProto) -> bool:
    return node.output[0] in consumers(graph) or node.output[0] in output_names(graph)
