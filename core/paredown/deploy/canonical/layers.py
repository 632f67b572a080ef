"""Biases of layers: none where all are zero, and named after the weight."""

from __future__ import annotations

import numpy as np
import onnx

from paredown.deploy.canonical.graph import add_constant, array_of, attributes, constants

LAYERS = ("Conv", "ConvTranspose", "Gemm")


def settle_layers(model: onnx.ModelProto) -> None:
    """Drops biases that are all zero and names the others `<layer>.bias`, one for each layer.

    One framework's exporter drops a zero bias, another's writes it; and equal biases of two layers may have been
    merged into one.
    """
    graph = model.graph
    for node in graph.node:
        if node.op_type not in LAYERS or len(node.input) < 3 or node.input[2] not in constants(graph):
            continue
        bias = array_of(constants(graph)[node.input[2]])
        if not np.any(bias):
            del node.input[2]
        elif node.op_type != "Gemm" or _adds_plainly(node):
            _name_bias(graph, node)


def _adds_plainly(node: onnx.NodeProto) -> bool:
    options = attributes(node)
    return bool(options.get("alpha", 1.0) == 1.0 and options.get("beta", 1.0) == 1.0)


def _name_bias(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    known = constants(graph)
    weight, old = node.input[1], node.input[2]
    if not weight.endswith(".weight") or weight not in known:
        return
    name = weight.removesuffix("weight") + "bias"
    bias = array_of(known[old])
    if name not in known or np.array_equal(array_of(known[name]), bias):
        add_constant(graph, name, bias.reshape(-1))
        node.input[2] = name
