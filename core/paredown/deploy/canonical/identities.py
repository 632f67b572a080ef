"""Nodes that pass their input on unchanged."""

from __future__ import annotations

import onnx

from paredown.deploy.canonical.graph import attributes, consumers, output_names, producers, redirect

PASSING = ("Identity", "Dropout")
"""`Dropout` passes its input on in inference, which is what is exported."""


def drop_identities(model: onnx.ModelProto) -> None:
    """Removes `Identity` and inference `Dropout`; the graph's outputs keep their names."""
    _drop(model.graph, [node for node in model.graph.node if node.op_type in PASSING])


def drop_pixel_pooling(model: onnx.ModelProto) -> None:
    """Removes pooling by single pixels: how exporters write an adaptive pooling to the size that its input has.

    After `settle_global_pooling`, for which an image of one pixel is a whole image.
    """
    _drop(model.graph, [node for node in model.graph.node if _pools_single_pixels(node)])


def _drop(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    for node in nodes:
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


def _pools_single_pixels(node: onnx.NodeProto) -> bool:
    if node.op_type not in ("AveragePool", "MaxPool"):
        return False
    options = attributes(node)
    ones = (*options["kernel_shape"], *options.get("strides", ()))
    return all(length == 1 for length in ones) and not any(options.get("pads", ()))


def _removable(graph: onnx.GraphProto, node: onnx.NodeProto) -> bool:
    if any(name in consumers(graph) for name in node.output[1:]):
        return False
    if node.output[0] not in output_names(graph):
        return True
    # A graph that returns its input, a constant, or one tensor twice needs the identity.
    return node.input[0] in producers(graph) and node.input[0] not in output_names(graph)
