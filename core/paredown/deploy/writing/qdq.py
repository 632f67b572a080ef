"""Writing a calibrated or trained plan into the canonical graph as QuantizeLinear and DequantizeLinear (QDQ)."""

from __future__ import annotations

import onnx

from paredown.deploy.canonical.graph import array_of, consumers, output_names, producers
from paredown.deploy.integer_biases import has_integer_bias
from paredown.deploy.places import LAYERS, layer_calls, passes_on, places, source_of
from paredown.deploy.writing.activations import ActivationWriter, activation_bounds, stored
from paredown.deploy.writing.biases import BiasWriter
from paredown.deploy.writing.graph_file import GraphFile
from paredown.deploy.writing.plan_points import activation_tensors, weight_tensors
from paredown.deploy.writing.storage import TernaryStorage
from paredown.deploy.writing.weights import WeightWriter
from paredown.plan import QuantPlan

FLOAT_LAYERS = (*LAYERS, "ConvTranspose")
"""Operators whose float weights ONNX Runtime quantizes where their input is dequantized."""


def write_qdq(model: onnx.ModelProto, plan: QuantPlan, ternary: TernaryStorage = "packed") -> onnx.ModelProto:
    """The integer network: QDQ after activations, DequantizeLinear after weights and biases.

    Layers that the plan leaves in float read the float tensor where the framework's simulation does, else the
    dequantized one, in a form that the runtime does not take for quantization.

    Args:
        model: The canonical float network; it is left as it is.
        plan: A point for every place that `places.places` names, and for every layer's weight.
        ternary: How ternary weights are stored; see `write_quantized`.

    Returns:
        The network with QDQ nodes, without the float weights of quantized layers. The network and the plan determine
        the file byte for byte.

    Raises:
        PlanError: A point is missing, or its scales do not fit the weight.
    """
    return _Writer(model, plan, ternary).write()


class _Writer:
    """Copies the graph node by node and puts QDQ where the plan has a point."""

    def __init__(self, model: onnx.ModelProto, plan: QuantPlan, ternary: TernaryStorage) -> None:
        self.graph = graph = model.graph
        self.calls = {call.node.output[0]: call for call in layer_calls(graph, plan.left_float)}
        self.tensors = weight_tensors(graph, self.calls.values(), plan)
        self.activations = activation_tensors(graph, plan)
        self.places = places(graph, plan.left_float)
        self.made_by, self.read_by = producers(graph), consumers(graph)
        self.outputs = output_names(graph)
        self.file = GraphFile(graph)
        self.known = {name: array_of(tensor) for name, tensor in self.file.known.items()}
        self.weights = WeightWriter(self.file, ternary, finer=True)
        self.biases = BiasWriter(self.file)
        self.quantizer = ActivationWriter(self.file)
        self.read_as: dict[str, str] = {}
        self.float_as: dict[str, str] = {}
        self.folded = {name: bounds for name in self.activations if (bounds := self._foldable(name)) is not None}

    def write(self) -> onnx.ModelProto:
        for value in self.graph.input:
            self._quantize_activation(value.name)
        for node in self.graph.node:
            if node.output[0] not in self.folded:
                self._copy(node)
            for name in node.output:
                self._quantize_activation(name)
        return self.file.finish()

    def _copy(self, node: onnx.NodeProto) -> None:
        names = [self.read_as.get(name, name) for name in node.input]
        call = self.calls.get(node.output[0])
        if call is None:
            if self._has_float_weights(node):
                names[0] = self._in_float(node.input[0])
            self.file.copy(node, names)
            return
        tensor = self.tensors[call.layer]
        # Without it the runtime computes a Gemm in float; a convolution needs none.
        names[1] = self.weights.dequantized(call.weight, tensor, zero_point=node.op_type == "Gemm")
        if call.bias is None:
            self.file.copy(node, names)
            return
        source = self.activations[source_of(self.graph, node.input[0])]
        if not self.biases.fits(call, tensor, source, self.weights.factor(tensor)):
            self.biases.copy_and_add(call, names)
            return
        if has_integer_bias(tensor.bits, tensor.group_size):
            names[2] = self.biases.dequantized(call, tensor, source)
        self.file.copy(node, names)

    def _quantize_activation(self, name: str) -> None:
        """QDQ after a tensor with a scale of its own, after flattening and after the repeating of pixels."""
        tensor = self.activations.get(name)
        if tensor is None:
            # Max pooling hands the integers on; behind the others the runtime fuses only what is written.
            tensor = self.activations.get(source_of(self.graph, name)) if self._is_moved(name) else None
        if tensor is None:
            return
        bounds = self.folded.get(name)
        source = name if bounds is None else self.made_by[name].input[0]
        self.read_as[name] = self.quantizer.quantize(name, tensor, source=source, bounds=bounds)

    def _is_moved(self, name: str) -> bool:
        node = self.made_by.get(name)
        return node is not None and name not in self.outputs and passes_on(node) and node.op_type != "MaxPool"

    def _foldable(self, name: str) -> tuple[float, float] | None:
        """The bounds of the activation function that made a tensor, where the integers' Clip can carry it out."""
        node, tensor = self.made_by.get(name), self.activations[name]
        if node is None or tensor.bits > 8 or not stored(tensor).is_narrow:
            return None
        alone = len(self.read_by[node.input[0]]) == 1 and node.input[0] not in (self.activations.keys() | self.outputs)
        read_in_float = self._is_float_in_simulation(name) and self._reaches_float_layer(name)
        return activation_bounds(node, self.known) if alone and not read_in_float else None

    def _has_float_weights(self, node: onnx.NodeProto) -> bool:
        return node.op_type in FLOAT_LAYERS and node.output[0] not in self.calls and node.input[1] in self.file.known

    def _is_float_in_simulation(self, name: str) -> bool:
        """Whether only the layers that read a tensor quantize it, each for itself."""
        return all(place.port == "input" for place in self.places[name])

    def _reaches_float_layer(self, name: str) -> bool:
        for node in self.read_by.get(name, []):
            if self._has_float_weights(node):
                return True
            if passes_on(node) and self._reaches_float_layer(node.output[0]):
                return True
        return False

    def _in_float(self, name: str) -> str:
        """What a layer that stays in float reads."""
        if name in self.float_as:
            return self.float_as[name]
        found = name
        if name in self.activations:
            if not self._is_float_in_simulation(name):
                found = self.quantizer.spelled_out(name, self.activations[name])
        elif name in self.made_by and passes_on(self.made_by[name]):
            node = self.made_by[name]
            source = self._in_float(node.input[0])
            if source != node.input[0] or node.input[0] in self.read_as:
                found = f"{name}_p"
                self.file.copy(node, [source, *node.input[1:]], found)
        self.float_as[name] = found
        return found
