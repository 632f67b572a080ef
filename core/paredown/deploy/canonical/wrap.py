"""The model around the graph: nothing that an exporter left behind."""

from __future__ import annotations

import onnx
from onnx import helper, numpy_helper

from paredown.deploy.canonical.graph import array_of, static_shapes
from paredown.deploy.canonical.opset import OPSET

IR_VERSION = 10
PRODUCER = "paredown"


def wrap(model: onnx.ModelProto) -> onnx.ModelProto:
    """A fresh model with the same nodes and weights: no metadata, doc strings or inferred shapes."""
    shapes = static_shapes(model)
    kinds = {value.name: value.type.tensor_type.elem_type for value in [*model.graph.input, *model.graph.output]}
    values = [
        [helper.make_tensor_value_info(value.name, kinds[value.name], _shape(shapes[value.name])) for value in field]
        for field in (model.graph.input, model.graph.output)
    ]
    nodes = []
    for node in model.graph.node:
        plain = helper.make_node(node.op_type, list(node.input), list(node.output))
        plain.attribute.extend(node.attribute)
        for attribute in plain.attribute:
            attribute.ClearField("doc_string")
        nodes.append(plain)
    weights = [numpy_helper.from_array(array_of(tensor), tensor.name) for tensor in model.graph.initializer]
    return finish(helper.make_graph(nodes, "network", values[0], values[1], weights))


def finish(graph: onnx.GraphProto) -> onnx.ModelProto:
    """A model of the canonical versions around a graph."""
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name=PRODUCER)


def _shape(shape: tuple[int | None, ...]) -> list[int | str]:
    return ["batch", *(length if length is not None else f"axis{index}" for index, length in enumerate(shape[1:], 1))]
