"""Running graphs in ONNX Runtime for what is measured on the way, not for their outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto, helper

from paredown.deploy.canonical.graph import producers, replace_nodes
from paredown.deploy.files import to_bytes

if TYPE_CHECKING:
    from paredown.contracts import FloatArray


class Tap:
    """The part of a network that some of its tensors need, loaded, on one thread.

    Args:
        model: The network.
        names: The tensors to compute, in the order in which `run` gives them.
    """

    def __init__(self, model: onnx.ModelProto, names: Sequence[str]) -> None:
        import onnxruntime

        self.names = list(names)
        self.image = model.graph.input[0].name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Fake quantization is to be computed in float as it is written, not turned into integer kernels.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        content = to_bytes(_needed(model, names))
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(self, images: FloatArray) -> list[FloatArray]:
        """The tensors' values for a batch of images, float32."""
        values: list[FloatArray] = self._session.run(self.names, {self.image: images})
        return values


def _needed(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """The network cut down to the nodes that these tensors need; they are its outputs."""
    made_by, waiting, kept = producers(model.graph), list(names), set[str]()
    while waiting:
        node = made_by.get(waiting.pop())
        if node is not None and node.output[0] not in kept:
            kept.add(node.output[0])
            waiting.extend(node.input)
    found = onnx.ModelProto()
    found.CopyFrom(model)
    graph = found.graph
    replace_nodes(graph, [node for node in graph.node if node.output[0] in kept])
    read = {name for node in graph.node for name in node.input}
    unread = [tensor for tensor in graph.initializer if tensor.name not in read]
    for tensor in unread:
        graph.initializer.remove(tensor)
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    return found
