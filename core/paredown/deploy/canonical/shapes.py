"""Reshape and Split, whose arguments exporters write in several ways."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from paredown.deploy.canonical.graph import array_of, attributes, constants, static_shapes

SHAPE = "\0shape"
"""The start of names that no exporter gives; `settle_order` names constants anew."""


def settle_shapes(model: onnx.ModelProto) -> None:
    """Gives Reshape a target of plain lengths after the batch, and Split equal parts by their number."""
    shapes = static_shapes(model)
    for index, node in enumerate(model.graph.node):
        if node.op_type == "Reshape":
            _settle_reshape(model.graph, node, shapes, f"{SHAPE}{index}")
        if node.op_type == "Split":
            _settle_split(model.graph, node)


def _settle_reshape(
    graph: onnx.GraphProto, node: onnx.NodeProto, shapes: dict[str, tuple[int | None, ...]], name: str
) -> None:
    """The target as [-1, lengths...], where the batch is the only dynamic axis."""
    before, after = shapes.get(node.input[0], ()), shapes.get(node.output[0], ())
    if node.input[1] not in constants(graph) or not before or not after:
        return
    if None in before[1:] or None in after[1:] or 0 in after[1:]:
        return
    target = np.asarray([-1, *after[1:]], dtype=np.int64)
    graph.initializer.append(onnx.numpy_helper.from_array(target, name))
    node.CopyFrom(helper.make_node("Reshape", [node.input[0], name], list(node.output)))


def _settle_split(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    known = constants(graph)
    if len(node.input) < 2 or node.input[1] not in known:
        return
    if len(set(array_of(known[node.input[1]]).tolist())) == 1:
        options = {"axis": attributes(node).get("axis", 0), "num_outputs": len(node.output)}
        node.CopyFrom(helper.make_node("Split", [node.input[0]], list(node.output), **options))
