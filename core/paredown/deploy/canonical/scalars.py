"""Single numbers that scale or shift a tensor, which exporters write with or without axes."""

from __future__ import annotations

import onnx
from onnx import numpy_helper

from paredown.deploy.canonical.graph import array_of, constants, consumers, static_shapes

ELEMENTWISE = ("Add", "Div", "Mul", "Sub")


def settle_scalars(model: onnx.ModelProto) -> None:
    """Makes a constant of one element a scalar, where every reader adds or multiplies it to a tensor of its rank."""
    graph, shapes = model.graph, static_shapes(model)
    read_by = consumers(graph)
    for name, tensor in constants(graph).items():
        values = array_of(tensor)
        readers = read_by.get(name, [])
        if values.size == 1 and values.ndim and readers and all(_spreads(one, name, shapes) for one in readers):
            tensor.CopyFrom(numpy_helper.from_array(values.reshape(()), name))


def _spreads(node: onnx.NodeProto, name: str, shapes: dict[str, tuple[int | None, ...]]) -> bool:
    """Whether the node's result has the shape of its other operand, whatever axes of length one the constant has."""
    others = [one for one in node.input if one != name]
    rank = len(shapes[others[0]]) if others and others[0] in shapes else 0
    return node.op_type in ELEMENTWISE and len(others) == 1 and rank >= max(1, len(shapes[name]))
