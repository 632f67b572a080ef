"""A graph under construction: nodes and initializers in the order in which they were added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from paredown.deploy.canonical.graph import array_of, constants, output_names
from paredown.deploy.canonical.wrap import finish
from paredown.deploy.writing.storage import INT2, OPSET_OF_INT2, UINT2

if TYPE_CHECKING:
    from paredown.contracts import Array


class GraphFile:
    """Collects the nodes and initializers of a new network with the inputs and outputs of a canonical one."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.known = constants(graph)
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: dict[str, onnx.TensorProto] = {}
        self._scalars: dict[tuple[str, bytes], str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def array(self, name: str) -> Array:
        """An initializer of the canonical network."""
        return array_of(self.known[name])

    def constant(self, name: str, values: Array) -> str:
        """Adds an array; returns its name."""
        return self.tensor(numpy_helper.from_array(values, name))

    def tensor(self, tensor: onnx.TensorProto) -> str:
        """Adds an initializer; returns its name."""
        self._tensors[tensor.name] = tensor
        return str(tensor.name)

    def scalar(self, value: np.generic) -> str:
        """A shared scalar: equal scales and equal zero points stand in the file once."""
        letter = "s" if np.issubdtype(value.dtype, np.floating) else "z"
        key = (str(value.dtype), value.tobytes())
        if key not in self._scalars:
            count = sum(name[0] == letter for name in self._scalars.values())
            self._scalars[key] = self.constant(f"{letter}{count}", np.asarray(value))
        return self._scalars[key]

    def append(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Adds a node with one output; returns the output's name."""
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def node(self, operator: str, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Adds a node with several outputs."""
        self._nodes.append(helper.make_node(operator, list(inputs), list(outputs)))

    def copy(self, node: onnx.NodeProto, inputs: Sequence[str], output: str | None = None) -> None:
        """Adds a node of the canonical network that reads these tensors, and the initializers among them."""
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for name in inputs:
            if name in self.known and name not in self._tensors:
                self.constant(name, self.array(name))
        del copy.input[:]
        copy.input.extend(inputs)
        if output is not None:
            copy.output[0] = output
        self._nodes.append(copy)

    def finish(self) -> onnx.ModelProto:
        """The network, without nodes that nothing reads."""
        nodes = self._read_nodes()
        tensors = list(self._tensors.values())
        model = finish(helper.make_graph(nodes, "network", list(self.graph.input), list(self.graph.output), tensors))
        if any(tensor.data_type in (UINT2, INT2) for tensor in tensors):
            model.opset_import[0].version = OPSET_OF_INT2
        return model

    def _read_nodes(self) -> list[onnx.NodeProto]:
        read, kept = output_names(self.graph), []
        for node in reversed(self._nodes):
            if any(name in read for name in node.output):
                kept.append(node)
                read.update(node.input)
        return kept[::-1]
