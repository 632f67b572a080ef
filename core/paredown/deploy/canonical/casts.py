"""Casts to the type of another tensor, which hide constants from folding."""

from __future__ import annotations

import onnx
from onnx import helper


def name_cast_types(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rewrites CastLike as Cast to the type that it copies, on a copy; a model without CastLike is given back.

    torch's exporter writes the missing bias of a layer so where it does not optimize.
    """
    if not any(node.op_type == "CastLike" for node in model.graph.node):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = onnx.shape_inference.infer_shapes(copy).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        types[value.name] = value.type.tensor_type.elem_type
    for node in copy.graph.node:
        if node.op_type == "CastLike" and types.get(node.input[1], 0):
            cast = helper.make_node("Cast", node.input[:1], list(node.output), to=types[node.input[1]])
            node.CopyFrom(cast)
    return copy
