"""The shape of every tensor for a single image."""

from __future__ import annotations

import onnx
from onnx import helper

from paredown.deploy.coupling.tensors import Shape

SIZES = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)


def fixed_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """The shapes that inference finds with a batch of one; tensors whose shape depends on the image are left out.

    Works on a copy without the weights: their shapes are all that inference needs of them.
    """
    graph = model.graph
    inputs = [_typed(v.name, v.type.tensor_type.elem_type, _one_image(v)) for v in graph.input]
    known = {value.name for value in inputs}
    weights = [tensor for tensor in graph.initializer if tensor.data_type not in SIZES]
    inputs += [_typed(t.name, t.data_type, tuple(t.dims)) for t in weights if t.name not in known]
    outputs = [helper.make_tensor_value_info(v.name, v.type.tensor_type.elem_type, None) for v in graph.output]
    sizes = [tensor for tensor in graph.initializer if tensor.data_type in SIZES]
    bare = helper.make_graph(graph.node, "shapes", inputs, outputs, sizes)
    light = helper.make_model(bare, opset_imports=model.opset_import, ir_version=model.ir_version)
    inferred = onnx.shape_inference.infer_shapes(light, data_prop=True).graph
    shapes: dict[str, Shape] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in [*inferred.input, *inferred.value_info, *inferred.output]:
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    return shapes


def _typed(name: str, kind: int, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _one_image(value: onnx.ValueInfoProto) -> Shape:
    lengths = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    return (1, *lengths[1:])
