"""Small questions about a graph, and small changes to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import onnx
from onnx import helper, numpy_helper

from paredown.errors import PlanError

if TYPE_CHECKING:
    from paredown.contracts import Array


def constants(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """The graph's initializers by name."""
    return {tensor.name: tensor for tensor in graph.initializer}


def array_of(tensor: onnx.TensorProto) -> Array:
    """An initializer as an array of its own shape and dtype."""
    values: Array = numpy_helper.to_array(tensor)
    return values


def producers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """The node that computes each tensor."""
    return {output: node for node in graph.node for output in node.output if output}


def consumers(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    """The nodes that read each tensor, in the graph's order; a node that reads it twice stands twice."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return readers


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The node's attributes as Python values."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def output_names(graph: onnx.GraphProto) -> set[str]:
    """Names of the graph's outputs."""
    return {output.name for output in graph.output}


def redirect(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Lets every reader of `old` read `new`."""
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name == old:
                node.input[position] = new


def replace_nodes(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Gives the graph another list of nodes."""
    kept = list(nodes)
    del graph.node[:]
    graph.node.extend(kept)


def add_constant(graph: onnx.GraphProto, name: str, values: Array) -> None:
    """Adds an initializer, or replaces the one of that name."""
    for tensor in graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(values, name))
            return
    graph.initializer.append(numpy_helper.from_array(values, name))


def with_arrays(model: onnx.ModelProto, arrays: Mapping[str, Array]) -> onnx.ModelProto:
    """A copy of a model in which these initializers hold other numbers; shapes and types stay.

    Raises:
        PlanError: An array has no initializer of its name and shape.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    known = constants(changed.graph)
    for name, values in arrays.items():
        tensor = known.get(name)
        if tensor is None or tuple(tensor.dims) != values.shape:
            raise PlanError(
                "an array does not fit this network",
                where=name,
                value="no initializer of this name" if tensor is None else f"shape {tuple(tensor.dims)}",
                expected=f"shape {values.shape}",
                remedy="make the plan again from this network",
            )
        tensor.CopyFrom(numpy_helper.from_array(values.astype(array_of(tensor).dtype), name))
    return changed


def static_shapes(model: onnx.ModelProto) -> dict[str, tuple[int | None, ...]]:
    """The shape of each tensor that shape inference finds; None stands for a dynamic axis."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes: dict[str, tuple[int | None, ...]] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        if value.type.tensor_type.HasField("shape"):
            shapes[value.name] = tuple(
                axis.dim_value if axis.HasField("dim_value") else None for axis in value.type.tensor_type.shape.dim
            )
    return shapes
