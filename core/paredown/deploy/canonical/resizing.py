"""Resize, whose size exporters compute from the shapes of other tensors."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from paredown.deploy.canonical.graph import array_of, attributes, constants, producers, static_shapes
from paredown.deploy.canonical.initializers import lift_constants
from paredown.deploy.canonical.slim import slim

SIZES = "\0sizes"
"""The start of names that no exporter gives; `settle_order` names constants anew."""


def resized(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every Resize settled; what it computes from the shapes of resized tensors is folded then."""
    settle_resizing(model)
    if not _computes_shapes(model.graph):
        return model
    folded = slim(model)
    lift_constants(folded)
    return folded


def settle_resizing(model: onnx.ModelProto) -> None:
    """Gives each Resize of images its height and width as constants, and one name to ways that mean the same.

    One that stretches the batch or the channels, or whose size is not known, is left as it is.
    """
    graph = model.graph
    for index, node in enumerate(graph.node):
        if node.op_type != "Resize":
            continue
        size = _size(model, node)
        if size is None:
            continue
        name = f"{SIZES}{index}"
        graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(size, dtype=np.int64), name))
        options = _settled({**attributes(node), "axes": [2, 3]}, size)
        node.CopyFrom(helper.make_node("Resize", [node.input[0], "", "", name], list(node.output), **options))


def _computes_shapes(graph: onnx.GraphProto) -> bool:
    """Whether an output depends on the shape of a tensor, in a graph that resizes."""
    made_by, waiting, seen = producers(graph), [value.name for value in graph.output], set[str]()
    while waiting:
        node = made_by.get(waiting.pop())
        if node is not None and node.output[0] not in seen:
            seen.add(node.output[0])
            waiting.extend(node.input)
    operators = {made_by[name].op_type for name in seen}
    return {"Resize", "Shape"} <= operators


def _settled(options: dict[str, object], size: tuple[int, int]) -> dict[str, object]:
    if options.get("mode") != b"nearest":
        options.pop("nearest_mode", None)
    if options.get("coordinate_transformation_mode") == b"pytorch_half_pixel" and min(size) > 1:
        options["coordinate_transformation_mode"] = b"half_pixel"
    return options


def _size(model: onnx.ModelProto, node: onnx.NodeProto) -> tuple[int, int] | None:
    """(height, width) of what an image is resized to."""
    options = attributes(node)
    if options.get("keep_aspect_ratio_policy", b"stretch") != b"stretch" or "axes" in options:
        return None
    known = constants(model.graph)
    if len(node.input) > 3 and node.input[3]:
        return _tail(model.graph, node.input[3])
    before = static_shapes(model).get(node.input[0], ())
    if len(node.input) < 3 or node.input[2] not in known or len(before) != 4:
        return None
    scales = [float(scale) for scale in array_of(known[node.input[2]]).reshape(-1)]
    if len(scales) != 4 or scales[:2] != [1.0, 1.0] or before[2] is None or before[3] is None:
        return None
    height, width = before[2] * scales[2], before[3] * scales[3]
    return (int(height), int(width)) if height.is_integer() and width.is_integer() else None


def _tail(graph: onnx.GraphProto, name: str) -> tuple[int, int] | None:
    """The last two of four lengths; the first two are those of the images, of which the batch is not known before."""
    known, made_by = constants(graph), producers(graph)
    if name in made_by and made_by[name].op_type == "Concat":
        *_, name = made_by[name].input
    if name not in known:
        return None
    lengths = array_of(known[name]).reshape(-1).tolist()
    return (lengths[-2], lengths[-1]) if len(lengths) >= 2 else None
