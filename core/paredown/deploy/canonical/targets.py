"""Reshape whose target an exporter computes from the shape of the tensor, although all but the batch is known."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from onnx import helper, numpy_helper

from paredown.deploy.canonical.graph import array_of, attributes, constants, producers, static_shapes

TARGET = "\0target"
"""The start of names that no exporter gives; `settle_order` names constants anew."""

Lengths = list[int | None]
"""The numbers of a shape tensor; None stands for the batch."""


def settle_targets(model: onnx.ModelProto) -> None:
    """Gives such a Reshape a constant target [-1, lengths...]; one that moves the batch is left as it is."""
    graph = model.graph
    shapes = static_shapes(model)
    for index, node in enumerate(graph.node):
        if node.op_type != "Reshape" or node.input[1] in constants(graph):
            continue
        if node.input[0] not in shapes:
            shapes = static_shapes(model)
        target = _lengths(graph, node.input[1], shapes)
        lengths = _behind_the_batch(target, shapes.get(node.input[0], ()))
        if lengths is not None:
            name = f"{TARGET}{index}"
            graph.initializer.append(numpy_helper.from_array(np.asarray([-1, *lengths], dtype=np.int64), name))
            node.CopyFrom(helper.make_node("Reshape", [node.input[0], name], list(node.output)))


def _behind_the_batch(target: Lengths | None, before: tuple[int | None, ...]) -> list[int] | None:
    """The lengths of all axes but the first, with -1 resolved; None where not all are known."""
    inner = [length for length in before[1:] if length is not None]
    if not target or target[0] is not None or len(inner) != len(before) - 1:
        return None
    known = [length for length in target[1:] if length is not None]
    if len(known) != len(target) - 1 or 0 in known or known.count(-1) > 1:
        return None
    rest = prod(length for length in known if length != -1)
    return [prod(inner) // rest if length == -1 else length for length in known]


def _lengths(graph: onnx.GraphProto, name: str, shapes: dict[str, tuple[int | None, ...]]) -> Lengths | None:
    """The numbers of a tensor that is put together from constants and shapes; None where it is not."""
    known, node = constants(graph), producers(graph).get(name)
    if name in known:
        return [int(value) for value in array_of(known[name]).reshape(-1)]
    if node is None:
        return None
    if node.op_type == "Shape":
        options, shape = attributes(node), shapes.get(node.input[0])
        return None if shape is None else list(shape)[options.get("start", 0) : options.get("end")]
    if node.op_type == "Concat":
        parts = [_lengths(graph, one, shapes) for one in node.input]
        return None if None in parts else [length for part in parts for length in part or ()]
    if node.op_type == "Slice":
        source, *bounds = (_lengths(graph, one, shapes) for one in node.input)
        numbers = [bound[0] for bound in bounds if bound]
        if source is None or len(numbers) != len(bounds):
            return None
        return source[numbers[0] : numbers[1] : numbers[3] if len(numbers) > 3 else None]
    return None
