"""Operators that work along axes: pooling and resizing of images, reductions, Softmax, padding."""

from __future__ import annotations

import numpy as np
import onnx

from paredown.deploy.canonical.graph import attributes
from paredown.deploy.coupling.tensors import Labels, Tensor, along
from paredown.deploy.coupling.trace import Trace, leave_whole


def pooling(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """What changes images channel by channel."""
    images, shape = trace.tensor(node.input[0]), trace.shape(node)
    if not isinstance(images, Labels) or shape is None or shape[1] != images.shape[1]:
        return leave_whole(trace, node, f"its channels are computed anew by {node.op_type}")
    channels = trace.channels(images, 1)
    return [along(channels, 1, trace.shapes[name]) for name in node.output if name]


def reduction(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """Reductions over other axes than the channels'."""
    tensor, shape = trace.tensor(node.input[0]), trace.shape(node)
    axes = _axes(trace, node)
    if not isinstance(tensor, Labels) or shape is None or axes is None:
        return leave_whole(trace, node, f"what {node.op_type} reduces is computed")
    if any(tensor.varies(axis) for axis in axes):
        return leave_whole(trace, node, f"{node.op_type} runs over its channels")
    kept = [n for axis, n in enumerate(tensor.values.shape) if axis not in axes or _keeps_axes(node)]
    return [Labels(tensor.values.reshape(kept), shape)]


def softmax(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """Softmax, LogSoftmax, Hardmax, LpNormalization: along channels they mix these, which leaves them whole."""
    tensor = trace.tensor(node.input[0])
    axis = int(attributes(node).get("axis", -1))
    if isinstance(tensor, Labels) and tensor.varies(axis):
        trace.pin(tensor, f"{node.op_type} runs over its channels")
    return [tensor]


def padding(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """Pad of other axes than the channels'."""
    tensor, shape = trace.tensor(node.input[0]), trace.shape(node)
    if not isinstance(tensor, Labels) or shape is None:
        return leave_whole(trace, node, "what Pad adds is computed")
    grown = [axis for axis in range(len(shape)) if shape[axis] != tensor.shape[axis]]
    if any(tensor.varies(axis) for axis in grown):
        return leave_whole(trace, node, "its channels are padded with further ones")
    return [Labels(tensor.values, shape)]


def _axes(trace: Trace, node: onnx.NodeProto) -> list[int] | None:
    rank = len(trace.shapes[node.input[0]])
    options = attributes(node)
    if node.op_type in ("ArgMax", "ArgMin"):
        return [int(options.get("axis", 0)) % rank]
    if "axes" in options:
        return [int(axis) % rank for axis in options["axes"]]
    if len(node.input) < 2 or not node.input[1]:
        return [] if options.get("noop_with_empty_axes", 0) else list(range(rank))
    axes = trace.value(node, 1)
    return None if axes is None else [int(axis) % rank for axis in np.ravel(axes)]


def _keeps_axes(node: onnx.NodeProto) -> bool:
    return bool(attributes(node).get("keepdims", 1))
