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
    never negative is reduced to its channels' greatest values by pooling, because the runtime keeps activations in
    blocks of channels, in which it pools fast.
    """

    def __init__(self, model: onnx.ModelProto, tensors: Sequence[str], *, only_extremes: bool = False) -> None:
        import onnxruntime

        self._model = model
        self._image = model.graph.input[0].name
        opened = onnx.ModelProto()
        opened.CopyFrom(model)
        pooled = _never_negative_images(model.graph)
        self._outputs: dict[str, tuple[str, ...]] = {}
        for name in tensors:
            if name != self._image:
                reduced = _REDUCED[:1] if name in pooled else _REDUCED[1:]
                self._outputs[name] = _reduce(opened.graph, name, reduced) if only_extremes else (name,)
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
            return np.append(found[0], np.float32(0))
        if np.isfinite(found[2]):
            return np.array(found[:2])
        # The runtime's extremes pass over NaN, a sum does not; but a sum of finite numbers may overflow.
        return OpenedNetwork(self._model, [name]).run(images)[name]


_REDUCED = ("GlobalMaxPool", "ReduceMin", "ReduceMax", "ReduceSum")


def _reduce(graph: onnx.GraphProto, name: str, operators: Sequence[str]) -> tuple[str, ...]:
    """Adds nodes that reduce a tensor, by pooling or to single numbers; their outputs' names."""
    outputs = tuple(f"{name}_{operator}" for operator in operators)
    for operator, output in zip(operators, outputs, strict=True):
        attributes = {"keepdims": 0} if operator.startswith("Reduce") else {}
        graph.node.append(helper.make_node(operator, [name], [output], **attributes))
    return outputs


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
