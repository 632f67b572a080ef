"""The float network, opened: it runs over images and gives the tensors that observers watch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper

from paredown.deploy.canonical.graph import array_of, constants, consumers, producers
from paredown.deploy.files import to_bytes

if TYPE_CHECKING:
    from paredown.contracts import FloatArray

ON_IMAGES = ("AveragePool", "Conv", "GlobalAveragePool", "MaxPool")
"""Operators whose data have a batch axis, channels, and positions."""


class OpenedNetwork:
    """A session that gives chosen tensors of the graph, on one thread.

    With `only_extremes` it gives a few values of each, the smallest and the greatest among them, which the graph finds
    itself: a tensor that leaves the graph is copied, and reading it then costs more than many a layer. One that is
    never negative is reduced by pooling first, because the runtime keeps activations in blocks of channels, in which it
    pools fast.
    """

    def __init__(self, model: onnx.ModelProto, tensors: Sequence[str], *, only_extremes: bool = False) -> None:
        import onnxruntime

        self._model = model
        self._image = model.graph.input[0].name
        opened = onnx.ModelProto()
        opened.CopyFrom(model)
        computed = [name for name in tensors if name != self._image]
        self._outputs = _reduced(opened.graph, computed) if only_extremes else {name: (name,) for name in computed}
        opened.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            for names in self._outputs.values()
            for name in names
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # What it would lay out for the second batch of a size would be kept beside what the first one left.
        options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(to_bytes(opened), options, providers=["CPUExecutionProvider"])

    def run(self, images: FloatArray) -> dict[str, FloatArray]:
        """The tensors of a batch, by name, or of each a few values with its smallest and greatest."""
        wanted = [name for names in self._outputs.values() for name in names]
        found = iter(self._session.run(wanted, {self._image: images}) if wanted else [])
        values = {self._image: images}
        for name, outputs in self._outputs.items():
            values[name] = self._of_tensor(name, [next(found) for _ in outputs], images)
        return values

    def _of_tensor(self, name: str, found: Sequence[FloatArray], images: FloatArray) -> FloatArray:
        if self._outputs[name] == (name,):
            return found[0]
        if len(found) == 1:
            return np.array([0, found[0]], np.float32)
        if np.isfinite(found[2]):
            return np.array(found[:2])
        # The runtime's extremes pass over NaN, a sum does not; but a sum of finite numbers may overflow.
        return OpenedNetwork(self._model, [name]).run(images)[name]


def _reduced(graph: onnx.GraphProto, tensors: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Adds nodes that reduce tensors to numbers; for each tensor its greatest value, or smallest, greatest, and sum.

    The last tensor's come first: the runtime begins with the last node that nothing reads, and with what that needs.
    So each tensor is reduced right after it was computed, while it lies in the caches.
    """
    pooled = _never_negative_images(graph)
    places = {name: index for index, node in enumerate(graph.node) for name in node.output}
    found: dict[str, tuple[str, ...]] = {}
    for name in sorted(tensors, key=places.__getitem__, reverse=True):
        if name in pooled:
            channels = _add(graph, "GlobalMaxPool", name)
            found[name] = (_add(graph, "ReduceMax", channels, keepdims=0),)
        else:
            found[name] = tuple(_add(graph, one, name, keepdims=0) for one in ("ReduceMin", "ReduceMax", "ReduceSum"))
    return found


def _add(graph: onnx.GraphProto, operator: str, name: str, **attributes: int) -> str:
    """Adds a node that reads one tensor; its output's name."""
    output = f"{name}_{operator}"
    graph.node.append(helper.make_node(operator, [name], [output], **attributes))
    return output


def _never_negative_images(graph: onnx.GraphProto) -> set[str]:
    """Tensors that a Relu or a Clip from zero on made, and that have positions to pool over."""
    known, made_by, read_by = constants(graph), producers(graph), consumers(graph)

    def has_positions(node: onnx.NodeProto) -> bool:
        neighbours = [*read_by.get(node.output[0], [])]
        neighbours += [made_by[node.input[0]]] if node.input[0] in made_by else []
        return any(one.op_type in ON_IMAGES for one in neighbours)

    def cuts_negatives(node: onnx.NodeProto) -> bool:
        if node.op_type != "Clip":
            return bool(node.op_type == "Relu")
        least = node.input[1] if len(node.input) > 1 else ""
        return least in known and float(array_of(known[least])) >= 0

    return {node.output[0] for node in graph.node if cuts_negatives(node) and has_positions(node)}
