"""Global average pooling, however it was written."""

from __future__ import annotations

import onnx
from onnx import helper

from paredown.deploy.canonical.graph import array_of, attributes, constants, replace_nodes, static_shapes


def settle_global_pooling(model: onnx.ModelProto) -> None:
    """Rewrites a mean over both image axes as GlobalAveragePool, and Flatten where the axes are not kept."""
    shapes = static_shapes(model)
    nodes = []
    for node in model.graph.node:
        shape = shapes.get(node.input[0], ()) if node.input else ()
        if len(shape) == 4 and (_is_spatial_mean(model.graph, node) or _pools_whole_image(node, shape)):
            nodes.extend(_global_pooling(node))
        else:
            nodes.append(node)
    replace_nodes(model.graph, nodes)


def _global_pooling(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    image, result = node.input[0], node.output[0]
    if node.op_type == "AveragePool" or attributes(node).get("keepdims", 1):
        return [helper.make_node("GlobalAveragePool", [image], [result])]
    pooled = f"{result}\0pooled"
    return [
        helper.make_node("GlobalAveragePool", [image], [pooled]),
        helper.make_node("Flatten", [pooled], [result], axis=1),
    ]


def _is_spatial_mean(graph: onnx.GraphProto, node: onnx.NodeProto) -> bool:
    if node.op_type != "ReduceMean" or len(node.input) < 2 or node.input[1] not in constants(graph):
        return False
    axes = {int(axis) % 4 for axis in array_of(constants(graph)[node.input[1]]).reshape(-1)}
    return axes == {2, 3}


def _pools_whole_image(node: onnx.NodeProto, shape: tuple[int | None, ...]) -> bool:
    options = attributes(node)
    return (
        node.op_type == "AveragePool"
        and tuple(options["kernel_shape"]) == tuple(shape[2:])
        and not any(options.get("pads", ()))
        and options.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
    )
