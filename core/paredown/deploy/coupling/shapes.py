"""The shape of every tensor for a single image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from paredown.contracts import Array
from paredown.deploy.canonical.graph import replace_nodes
from paredown.deploy.coupling.tensors import Shape

SIZES = (onnx.TensorProto.INT64, onnx.TensorProto.INT32, onnx.TensorProto.BOOL)


def fixed_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """The shapes that inference finds with a batch of one; tensors whose shape depends on the image are left out.

    Works on a copy without the weights: their shapes are all that inference needs of them. Where sizes are computed,
    they are worked out and inference begins again with what they are.
    """
    light = _without_weights(model)
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in light.graph.initializer}
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    while True:
        shapes = weights | {name: value.shape for name, value in values.items()} | _inferred(light)
        if not _work_out(light.graph, shapes, values):
            return shapes


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    graph = model.graph
    inputs = [_typed(v.name, v.type.tensor_type.elem_type, _one_image(v)) for v in graph.input]
    known = {value.name for value in inputs}
    factors = {name for node in graph.node if node.op_type == "Resize" for name in node.input[1:]}
    is_size = {t.name: t.data_type in SIZES or t.name in factors for t in graph.initializer}
    sizes, weights = ([t for t in graph.initializer if is_size[t.name] == wanted] for wanted in (True, False))
    inputs += [_typed(t.name, t.data_type, tuple(t.dims)) for t in weights if t.name not in known]
    outputs = [helper.make_tensor_value_info(v.name, v.type.tensor_type.elem_type, None) for v in graph.output]
    bare = helper.make_graph(graph.node, "shapes", inputs, outputs, sizes)
    return helper.make_model(bare, opset_imports=model.opset_import, ir_version=model.ir_version)


def _inferred(model: onnx.ModelProto) -> dict[str, Shape]:
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes: dict[str, Shape] = {}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    return shapes


def _work_out(graph: onnx.GraphProto, shapes: Mapping[str, Shape], values: dict[str, Array]) -> bool:
    """Turns what is computed from known shapes and sizes alone into constants; whether that adds to what is known."""
    unknown = any(name not in shapes for node in graph.node for name in node.output if name)
    kept, found = [], False
    for node in graph.node:
        results = _results(node, shapes, values) if unknown else None
        if results is None:
            kept.append(node)
            continue
        found = True
        values.update(results)
        graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in results.items())
    if found:
        replace_nodes(graph, kept)
    return found


def _results(node: onnx.NodeProto, shapes: Mapping[str, Shape], values: Mapping[str, Array]) -> dict[str, Array] | None:
    """The outputs of a node that computes sizes, where all that it reads is known; None for other nodes."""
    if node.op_type == "Shape" and node.input[0] in shapes:
        feeds = {node.input[0]: np.empty(shapes[node.input[0]], dtype=np.uint8)}
    elif node.input and all(name in values for name in node.input if name):
        feeds = {name: values[name] for name in node.input if name}
    else:
        return None
    results = ReferenceEvaluator(node).run(None, feeds)
    return dict(zip(node.output, map(np.asarray, results), strict=True))


def _typed(name: str, kind: int, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _one_image(value: onnx.ValueInfoProto) -> Shape:
    lengths = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    return (1, *lengths[1:])
