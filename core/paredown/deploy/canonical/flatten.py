"""Flattening of all axes but the batch."""

from __future__ import annotations

from math import prod

import onnx
from onnx import helper

from paredown.deploy.canonical.graph import attributes, static_shapes


def settle_flatten(model: onnx.ModelProto) -> None:
    """Rewrites Reshape, Squeeze and Flatten from [batch, ...] to [batch, elements] as Flatten from axis 1."""
    shapes = static_shapes(model)
    for node in model.graph.node:
        if node.op_type not in ("Reshape", "Squeeze", "Flatten"):
            continue
        before, after = shapes.get(node.input[0]), shapes.get(node.output[0])
        if _flattens(node, before, after):
            node.CopyFrom(helper.make_node("Flatten", [node.input[0]], list(node.output), axis=1))


def _flattens(
    node: onnx.NodeProto, before: tuple[int | None, ...] | None, after: tuple[int | None, ...] | None
) -> bool:
    """Whether the node keeps the batch axis and joins the others, whose lengths are known."""
    if node.op_type == "Flatten":
        return bool(attributes(node).get("axis", 1) == 1)
    if before is None or after is None or len(after) != 2 or len(before) < 2:
        return False
    inner = [length for length in before[1:] if length is not None]
    return len(inner) == len(before) - 1 and after[1] == prod(inner)
