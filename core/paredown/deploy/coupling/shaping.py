"""Operators that move elements: what they do to a tensor they do to its labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from paredown.contracts import IntArray
from paredown.deploy.canonical.graph import attributes
from paredown.deploy.coupling.classes import NEUTRAL
from paredown.deploy.coupling.elementwise import CODE, meet
from paredown.deploy.coupling.tensors import Constant, Labels, Shape, Tensor, blocks
from paredown.deploy.coupling.trace import Constraint, Trace, leave_whole

HEADS = "its channels are reshaped into several axes, whose lengths the network's code fixes"
SHUFFLED = (
    "channel shuffles and splits tie its channels together so that the pieces of a split would no longer be equal"
)
SLICED = "its channels are taken apart at places that the network's code fixes"


def reshaping(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """Reshape, Flatten, Squeeze, Unsqueeze: axes may be joined; an axis with channels is taken apart by a shuffle."""
    tensor, shape = _labels(trace, node), trace.shape(node)
    if tensor is None or shape is None:
        return leave_whole(trace, node, f"the shape of {node.op_type} is computed")
    split = [(old, new) for old, new in blocks(tensor.shape, shape) if _takes_apart(tensor, shape, old, new)]
    if split and not _is_shuffle(trace, node, tensor.shape, shape, split):
        trace.pin(tensor, HEADS)
        split = []
    lengths: list[int] = []
    varying = [axis for old, _ in blocks(tensor.shape, shape) if any(map(tensor.varies, old)) for axis in old]
    for old, new in blocks(tensor.shape, shape):
        lengths += [shape[axis] for axis in new] if any(map(tensor.varies, old)) else [1] * len(new)
    result = Labels(tensor.full(*varying).reshape(lengths), shape)
    for _, new in split:
        # Every row of a shuffle must lose the same positions, or it would be no rectangle any more.
        rows = np.moveaxis(result.values, new[0], 0)
        trace.classes.union(rows[:1], rows)
    return [result]


def transpose(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """Transpose: the axes in another order."""
    tensor, shape = _labels(trace, node), trace.shape(node)
    if tensor is None or shape is None:
        return leave_whole(trace, node, "the shape of Transpose is computed")
    order = attributes(node).get("perm", list(range(len(shape)))[::-1])
    return [Labels(tensor.values.transpose(order), shape)]


def concat(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """Concat: labels one after the other; constants beside them belong to the same channels on the other axes."""
    shape = trace.shape(node)
    if shape is None:
        return leave_whole(trace, node, "the shape of Concat is computed")
    axis = int(attributes(node)["axis"]) % len(shape)
    parts = trace.inputs(node)
    model = next(part for part in parts if isinstance(part, Labels))
    found = [part if isinstance(part, Labels) else _beside(trace, part, model, axis) for part in parts]
    grown = [other for other in range(len(shape)) if other != axis and any(part.varies(other) for part in found)]
    if any(part.varies(axis) for part in found) or not _alike([part.values for part in found]):
        grown.append(axis)
        return [Labels(np.concatenate([part.full(*grown) for part in found], axis), shape)]
    return [Labels(found[0].values, shape)]


def split(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """Split: equal pieces must stay equal; unequal ones are fixed in the code."""
    tensor = _labels(trace, node)
    shapes = [trace.shape(node, index) for index in range(len(node.output))]
    if tensor is None or None in shapes:
        return leave_whole(trace, node, "the shape of Split is computed")
    pieces = [shape for shape in shapes if shape is not None]
    axis = int(attributes(node).get("axis", 0)) % len(tensor.shape)
    if not tensor.varies(axis):
        return [Labels(tensor.values, shape) for shape in pieces]
    widths = [shape[axis] for shape in pieces]
    if len(set(widths)) > 1:
        trace.pin(tensor, SLICED)
    else:
        channels = trace.channels(tensor, axis)
        trace.constraints.append(Constraint(channels.reshape(len(widths), -1), SHUFFLED))
    values = np.split(tensor.values, np.cumsum(widths)[:-1], axis)
    return [Labels(part, shape) for part, shape in zip(values, pieces, strict=True)]


def taking(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """Slice and Gather: what is taken along other axes than the channels' leaves channels as they are."""
    tensor, shape = _labels(trace, node), trace.shape(node)
    axes = _taken_axes(trace, node)
    if tensor is None or shape is None or axes is None:
        return leave_whole(trace, node, f"what {node.op_type} takes is computed")
    if any(tensor.varies(axis) for axis in axes if node.op_type == "Gather" or shape[axis] != tensor.shape[axis]):
        return leave_whole(trace, node, SLICED)
    if node.op_type == "Slice":
        return [Labels(tensor.values, shape)]
    (axis,) = axes
    inserted = len(shape) - len(tensor.shape) + 1
    lengths = tensor.values.shape
    return [Labels(tensor.values.reshape(lengths[:axis] + (1,) * inserted + lengths[axis + 1 :]), shape)]


def taking_points(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """GatherND: takes points of the first axes, such as pixels, where the channels lie on later ones."""
    tensor, shape = _labels(trace, node), trace.shape(node)
    indices = trace.shapes.get(node.input[1])
    if tensor is None or shape is None or not indices or attributes(node).get("batch_dims", 0):
        return leave_whole(trace, node, f"what {node.op_type} takes is computed")
    count = indices[-1]
    if any(tensor.varies(axis) for axis in range(count)):
        return leave_whole(trace, node, SLICED)
    return [Labels(tensor.values.reshape((1,) * (len(indices) - 1) + tensor.values.shape[count:]), shape)]


def expand(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """Expand: single positions are repeated, which the labels say already."""
    tensor, shape = _labels(trace, node), trace.shape(node)
    if tensor is None or shape is None:
        return leave_whole(trace, node, "the shape of Expand is computed")
    missing = (1,) * (len(shape) - len(tensor.shape))
    return [Labels(tensor.values.reshape(missing + tensor.values.shape), shape)]


def _labels(trace: Trace, node: onnx.NodeProto) -> Labels | None:
    tensor = trace.tensor(node.input[0])
    return tensor if isinstance(tensor, Labels) else None


def _takes_apart(tensor: Labels, shape: Shape, old: range, new: range) -> bool:
    return any(map(tensor.varies, old)) and sum(shape[axis] > 1 for axis in new) > 1


def _is_shuffle(
    trace: Trace, node: onnx.NodeProto, before: Shape, after: Shape, split: Sequence[tuple[range, range]]
) -> bool:
    """Whether a channel axis becomes two that are swapped and joined again (Zhang et al., 2018, "ShuffleNet")."""
    if len(split) != 1 or len(split[0][0]) != 1 or len(split[0][1]) != 2:
        return False
    first, second = split[0][1]
    swap = _only_reader(trace, node.output[0], "Transpose")
    joined = _only_reader(trace, swap.output[0], "Reshape") if swap is not None else None
    if swap is None or joined is None or trace.shape(joined) != before:
        return False
    swapped = list(range(len(after)))
    swapped[first], swapped[second] = second, first
    return list(attributes(swap).get("perm", ())) == swapped


def _only_reader(trace: Trace, name: str, operator: str) -> onnx.NodeProto | None:
    readers = trace.readers.get(name, ())
    return readers[0] if len(readers) == 1 and readers[0].op_type == operator else None


def _beside(trace: Trace, constant: Constant, model: Labels, axis: int) -> Labels:
    """A constant in a concatenation: on the axis itself it adds what is no channel."""
    rank = len(model.shape)
    for other in model.varying():
        if other != axis and constant.shape[other] > 1:
            meet(trace, model, other, constant, other - rank)
    if model.varies(axis):
        trace.pin(constant, CODE)
        return Labels(np.full((1,) * rank, NEUTRAL, dtype=np.int64), constant.shape)
    return Labels(model.values, constant.shape)


def _alike(values: Sequence[IntArray]) -> bool:
    return all(np.array_equal(values[0], other) for other in values[1:])


def _taken_axes(trace: Trace, node: onnx.NodeProto) -> list[int] | None:
    rank = len(trace.shapes.get(node.input[0], ()))
    if node.op_type == "Gather":
        return [int(attributes(node).get("axis", 0)) % rank]
    if len(node.input) < 4 or not node.input[3]:
        return list(range(rank))
    axes = trace.value(node, 3)
    return None if axes is None else [int(axis) % rank for axis in axes.reshape(-1)]
