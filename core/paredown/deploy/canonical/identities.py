"""Nodes that pass their input on unchanged."""

from __future__ import annotations

import onnx

from paredown.deploy.canonical.graph import consumers, output_names, producers, redirect

PASSING = ("Identity", "Dropout")
"""`Dropout` passes its input on in inference, which is what is exported."""


def drop_identities(model: onnx.ModelProto) -> None:
    """Removes `Identity` and inference `Dropout`; the graph's outputs keep their names."""
    graph = model.graph
    for node in [node for node in graph.node if node.op_type in PASSING]:
        if not _removable(graph, node):
            continue
        source, result = node.input[0], node.output[0]
        graph.node.remove(node)
        if result in output_names(graph):
            producer = producers(graph)[source]
            producer.output[list(producer.output).index(source)] = result
            redirect(graph, source, result)
        else:
            redirect(graph, result, source)


def _removable(graph: onnx.GraphProto, node: onnx.NodeProto) -> bool:
    if any(name in consumers(graph) for name in node.output[1:]):
        return False
    if node.output[0] not in output_names(graph):
        return True
    # A graph that returns its input, a constant, or one tensor twice needs the identity.
    return node.input[0] in producers(graph) and node.input[0] not in output_names(graph)
