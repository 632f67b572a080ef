"""Resize, whose size exporters compute from the shapes of other tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from paredown.deploy.canonical.graph import array_of, attributes, constants, producers, replace_nodes, static_shapes

RESIZED = "\0resize"
"""The start of names that no exporter gives; `settle_order` names tensors anew."""

Size = tuple[int, int]


def settle_resizing(model: onnx.ModelProto) -> None:
    """Gives each Resize of images constant factors, and one name to ways that mean the same.

    Factors that no binary fraction can tell exactly would put pixels elsewhere: such a Resize has its height and width
    as constants behind the batch and the channels of its input. (The attribute `axes` would need no batch, and ONNX
    Runtime 1.31 breaks integer networks that have it.) One that stretches the batch or the channels, or whose size is
    not known, is left as it is.
    """
    count = sum(node.op_type == "Resize" for node in model.graph.node)
    for index in range(count):
        places = [place for place, node in enumerate(model.graph.node) if node.op_type == "Resize"]
        # Settled one by one: the shapes behind one are known only then.
        nodes = list(model.graph.node)
        nodes[places[index] : places[index] + 1] = _settled_nodes(model, nodes[places[index]], f"{RESIZED}{index}")
        replace_nodes(model.graph, nodes)


def _settled_nodes(model: onnx.ModelProto, node: onnx.NodeProto, name: str) -> list[onnx.NodeProto]:
    """The nodes that take the place of a Resize."""
    before = static_shapes(model).get(node.input[0], ())
    if len(before) != 4 or before[2] is None or before[3] is None:
        return [node]
    start = (before[2], before[3])
    size = _size(model.graph, node, start)
    if size is None:
        return [node]
    options = _settled(attributes(node), size)
    factors = np.asarray([1, 1, size[0] / start[0], size[1] / start[1]], dtype=np.float32)
    if all(_is_binary(end / begin) for end, begin in zip(size, start, strict=True)):
        model.graph.initializer.append(numpy_helper.from_array(factors, name))
        return [helper.make_node("Resize", [node.input[0], "", name], list(node.output), **options)]
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(size, dtype=np.int64), name))
    shape = helper.make_node("Shape", [node.input[0]], [f"{name}:shape"], end=2)
    sizes = helper.make_node("Concat", [f"{name}:shape", name], [f"{name}:sizes"], axis=0)
    resize = helper.make_node("Resize", [node.input[0], "", "", f"{name}:sizes"], list(node.output), **options)
    return [shape, sizes, resize]


def _is_binary(factor: float) -> bool:
    """Whether a factor is a fraction of a small power of two, so that float32 products with it are exact."""
    return (factor * 256).is_integer()


def _settled(options: dict[str, Any], size: Size) -> dict[str, Any]:
    if options.get("mode") != b"nearest":
        options.pop("nearest_mode", None)
    if options.get("coordinate_transformation_mode") == b"pytorch_half_pixel" and min(size) > 1:
        options["coordinate_transformation_mode"] = b"half_pixel"
    return options


def _size(graph: onnx.GraphProto, node: onnx.NodeProto, start: Size) -> Size | None:
    """(height, width) of what images are resized to."""
    options, known = attributes(node), constants(graph)
    if options.get("keep_aspect_ratio_policy", b"stretch") != b"stretch" or "axes" in options:
        return None
    if len(node.input) > 3 and node.input[3]:
        return _tail(graph, node.input[3])
    if len(node.input) < 3 or node.input[2] not in known:
        return None
    factors = [float(factor) for factor in array_of(known[node.input[2]]).reshape(-1)]
    if len(factors) != 4 or factors[:2] != [1.0, 1.0]:
        return None
    height, width = start[0] * factors[2], start[1] * factors[3]
    return (int(height), int(width)) if height.is_integer() and width.is_integer() else None


def _tail(graph: onnx.GraphProto, name: str) -> Size | None:
    """The last two of four lengths; the first two are those of the images, of which the batch is not known before."""
    known, made_by = constants(graph), producers(graph)
    if name in made_by and made_by[name].op_type == "Concat":
        *_, name = made_by[name].input
    if name not in known:
        return None
    lengths = array_of(known[name]).reshape(-1).tolist()
    return (lengths[-2], lengths[-1]) if len(lengths) >= 2 else None
