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

    With `only_extremes`, a tensor that is never negative is reduced to the greatest value of each channel inside the
    graph: the runtime keeps activations in blocks of channels, in which it pools fast, and from which it would have to
    copy every tensor that leaves the graph.
    """

    def __init__(self, model: onnx.ModelProto, tensors: Sequence[str], *, only_extremes: bool = False) -> None:
        import onnxruntime

        self._image = model.graph.input[0].name
        self._computed = [name for name in tensors if name != self._image]
        opened = onnx.ModelProto()
        opened.CopyFrom(model)
        pooled = _never_negative_images(model.graph) if only_extremes else set[str]()
        self._pooled = [name in pooled for name in self._computed]
        self._outputs = [_greatest(opened.graph, name) if name in pooled else name for name in self._computed]
        opened.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self._outputs
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # What it would lay out for the second batch of a size would be kept beside what the first one left.
        options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(to_bytes(opened), options, providers=["CPUExecutionProvider"])

    def run(self, images: FloatArray) -> dict[str, FloatArray]:
        """The tensors of a batch, by name; of a pooled one, its channels' greatest values and a zero."""
        found = self._session.run(self._outputs, {self._image: images}) if self._outputs else []
        values = {self._image: images}
        for name, array, pooled in zip(self._computed, found, self._pooled, strict=True):
            values[name] = np.append(array, np.float32(0)) if pooled else array
        return values


def _greatest(graph: onnx.GraphProto, name: str) -> str:
    """Adds a node that reduces a tensor to the greatest value of each channel; its output's name."""
    output = f"{name}_greatest"
    graph.node.append(helper.make_node("GlobalMaxPool", [name], [output]))
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
