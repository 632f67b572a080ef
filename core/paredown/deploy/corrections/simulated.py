"""A quantization plan simulated in ONNX, in float: for every mode and width, whatever a file would look like.

Weights are fake-quantized by the reference arithmetic. Activations are divided by their scale, rounded, clipped and
multiplied again, which gives the very numbers of the reference. Biases stay in float: as 32-bit integers they would
move by at most half of a product of two scales.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, numpy_helper

from paredown.algorithms.quantizing import fake_quantize
from paredown.contracts import PointKey
from paredown.deploy.canonical.graph import array_of, constants
from paredown.deploy.places import Call, layer_calls, places
from paredown.errors import PlanError
from paredown.plan import QuantizedTensor, QuantPlan

if TYPE_CHECKING:
    from paredown.contracts import Array

COPY = "~"
"""What the names of the quantized copy's tensors begin with."""

After = Callable[["Simulation", Call, str], str]
"""Is told a call of a layer and the name of its output in the copy; returns the name that is read instead."""


class Simulation:
    """A float network and, beside it, quantized copies of it or of single layers, in one graph.

    Args:
        model: The canonical float network; it is left as it is.
        plan: Its plan.
        arrays: What the quantized copies hold in place of the network's own: what corrections changed.

    Raises:
        PlanError: The plan lacks a point of the network.
    """

    def __init__(self, model: onnx.ModelProto, plan: QuantPlan, arrays: Mapping[str, Array] | None = None) -> None:
        self.model, self.plan, self._arrays = model, plan, dict(arrays or {})
        self.calls = layer_calls(model.graph, plan.left_float)
        self._by_output = {call.node.output[0]: call for call in self.calls}
        self._known = constants(model.graph)
        self._points: dict[PointKey, QuantizedTensor] = {
            (point.layer, point.port, point.index): point.tensor for point in plan.points
        }
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, Array] = {}

    def both(self) -> onnx.ModelProto:
        """The float network with everything that was added to it; `running.Tap` takes from it what it needs."""
        joined = onnx.ModelProto()
        joined.CopyFrom(self.model)
        joined.graph.node.extend(self._nodes)
        joined.graph.initializer.extend(
            numpy_helper.from_array(values, name) for name, values in self._constants.items()
        )
        return joined

    def copy_network(self, layers: Collection[str] | None = None, after: After | None = None) -> dict[str, str]:
        """Adds a quantized copy of the network.

        Args:
            layers: The only layers to quantize, each with its weight and its inputs; None stands for the whole plan.
            after: Called after each quantized layer.

        Returns:
            The name in the copy of each tensor of the network, as it is before it is quantized itself.
        """
        shared = self._shared_tensors() if layers is None else {}
        image = self.model.graph.input[0].name
        names, read_as = {image: image}, {}
        if image in shared:
            read_as[image] = self.fake_quantize(image, shared[image], COPY + image)
        for node in self.model.graph.node:
            call = self._by_output.get(node.output[0])
            inputs = [read_as.get(name) or names.get(name) or self._own(name) for name in node.input]
            if call is not None and (layers is None or call.layer in layers):
                if layers is not None or self.plan.mode == "dynamic":
                    inputs[0] = self._quantized_input(call, inputs[0], node.output[0])
                inputs[1] = self._quantized_weight(call)
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            del copied.input[:], copied.output[:]
            copied.input.extend(inputs)
            copied.output.extend(COPY + name if name else "" for name in node.output)
            self._nodes.append(copied)
            names |= {name: COPY + name for name in node.output if name}
            if call is not None and after is not None:
                names[node.output[0]] = after(self, call, names[node.output[0]])
            read_as |= {
                name: self.fake_quantize(names[name], shared[name], f"{COPY}{name}:q")
                for name in node.output
                if name in shared
            }
        return names

    def copy_layer(self, call: Call) -> str:
        """Adds a quantized copy of one layer that reads the float network's tensors; returns its output's name."""
        copied = onnx.NodeProto()
        copied.CopyFrom(call.node)
        copied.input[0] = self._quantized_input(call, call.node.input[0], f"{call.node.output[0]}:alone")
        copied.input[1] = self._quantized_weight(call)
        if call.bias is not None:
            copied.input[2] = self._own(call.bias)
        copied.output[0] = f"{COPY}{call.node.output[0]}:alone"
        self._nodes.append(copied)
        return str(copied.output[0])

    def fake_quantize(self, name: str, tensor: QuantizedTensor, result: str) -> str:
        """Adds the fake quantization of a tensor; `result` is the name that it gets, and is returned."""
        if not tensor.scale:
            parts = [f"{result}:{part}" for part in ("integers", "scale", "zero")]
            self.add("DynamicQuantizeLinear", [name], parts)
            return self.add("DequantizeLinear", parts, [result])
        scale, zero_point = np.float32(tensor.scale[0]), tensor.zero_point[0]
        step = self.constant(f"{result}:scale", scale)
        low = self.constant(f"{result}:low", np.float32(tensor.qmin - zero_point))
        high = self.constant(f"{result}:high", np.float32(tensor.qmax - zero_point))
        steps = self.add("Div", [name, step], [f"{result}:steps"])
        rounded = self.add("Round", [steps], [f"{result}:rounded"])
        clipped = self.add("Clip", [rounded, low, high], [f"{result}:clipped"])
        return self.add("Mul", [clipped, step], [result])

    def add(self, operator: str, inputs: list[str], outputs: list[str], **options: int) -> str:
        """Adds a node; returns its first output."""
        self._nodes.append(helper.make_node(operator, inputs, outputs, **options))
        return outputs[0]

    def constant(self, name: str, values: Array | np.float32) -> str:
        """Adds a constant; returns its name."""
        self._constants[name] = np.asarray(values)
        return name

    def weight_tensor(self, layer: str) -> QuantizedTensor:
        """How the weight of a layer is quantized."""
        return self._point((layer, "weight", 0))

    def _shared_tensors(self) -> dict[str, QuantizedTensor]:
        """How the tensors are quantized that every reader reads quantized."""
        if self.plan.mode not in ("static", "qat"):
            return {}
        named = places(self.model.graph, self.plan.left_float)
        return {name: self._point((own[0].layer, own[0].port, own[0].index)) for name, own in named.items()}

    def _quantized_input(self, call: Call, name: str, stem: str) -> str:
        """The tensor `name`, which a layer reads, quantized for this layer alone."""
        if self.plan.mode == "weight_only":
            return name
        return self.fake_quantize(name, self._point((call.layer, "input", call.index)), f"{COPY}{stem}:input")

    def _own(self, name: str) -> str:
        """A constant as the quantized copies hold it."""
        return self.constant(COPY + name, self._arrays[name]) if name in self._arrays else name

    def _quantized_weight(self, call: Call) -> str:
        name = COPY + call.weight
        if name not in self._constants:
            values = self._arrays.get(call.weight)
            values = array_of(self._known[call.weight]) if values is None else values
            self.constant(name, fake_quantize(values, self.weight_tensor(call.layer)))
        return name

    def _point(self, key: PointKey) -> QuantizedTensor:
        if key not in self._points:
            layer, port, index = key
            raise PlanError(
                "the plan has no point for this place",
                where=layer,
                value=f"{port} of call {index}",
                expected="a point for every place of the network",
                remedy="make the plan from this very network",
            )
        return self._points[key]
