"""Writing a quantization plan into the canonical graph as QuantizeLinear and DequantizeLinear (QDQ)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, numpy_helper

from paredown.algorithms.qparams import quantize
from paredown.deploy.canonical.graph import array_of, constants
from paredown.deploy.canonical.wrap import finish
from paredown.deploy.places import Call, layer_calls, places, source_of
from paredown.errors import PlanError
from paredown.plan import QuantizedTensor, QuantPlan

if TYPE_CHECKING:
    from paredown.contracts import Array, FloatArray

Points = dict[tuple[str, str, int], QuantizedTensor]
"""A plan's tensors by layer, port and index of the call."""


def write_qdq(model: onnx.ModelProto, plan: QuantPlan) -> onnx.ModelProto:
    """The integer network: 8-bit weights, 32-bit biases, unsigned 8-bit activations; opset 21.

    Biases have no scale of their own: it is the input's times the weight's, so that the integer sum needs no shift
    (Jacob et al., 2018, section 2.4). The network and the plan determine the file byte for byte.

    Args:
        model: The canonical float network; it is left as it is.
        plan: A point for every place that `places.places` names, and for every layer's weight.

    Returns:
        The network with QDQ nodes, without the float weights of quantized layers.

    Raises:
        PlanError: A point is missing, or its scales do not fit the weight.
    """
    return _Writer(model, plan).write()


class _Writer:
    """Copies the graph node by node and puts QDQ where the plan has a point."""

    def __init__(self, model: onnx.ModelProto, plan: QuantPlan) -> None:
        self.graph = model.graph
        self.known = constants(self.graph)
        self.calls = {call.node.output[0]: call for call in layer_calls(self.graph)}
        points: Points = {(point.layer, point.port, point.index): point.tensor for point in plan.points}
        self.weights = {
            call.layer: _find(points, call.layer, "weight", 0, constants(self.graph)[call.weight])
            for call in self.calls.values()
        }
        self.activations = {
            name: _find_equal(points, [(place.layer, place.port, place.index) for place in named])
            for name, named in places(self.graph).items()
        }
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, Array] = {}
        self.read_as: dict[str, str] = {}

    def write(self) -> onnx.ModelProto:
        for value in self.graph.input:
            self._quantize_activation(value.name)
        for node in self.graph.node:
            self._copy(node)
            for name in node.output:
                self._quantize_activation(name)
        tensors = [numpy_helper.from_array(values, name) for name, values in self.initializers.items()]
        inputs, outputs = list(self.graph.input), list(self.graph.output)
        return finish(helper.make_graph(self.nodes, "network", inputs, outputs, tensors))

    def _copy(self, node: onnx.NodeProto) -> None:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        call = self.calls.get(node.output[0])
        names = [self.read_as.get(name, name) for name in node.input]
        if call is not None:
            names[1] = self._dequantize_weight(call)
            if call.bias is not None:
                names[2] = self._dequantize_bias(call)
        for name in names:
            if name in self.known:
                self._constant(name, array_of(self.known[name]))
        del copy.input[:]
        copy.input.extend(names)
        self.nodes.append(copy)

    def _quantize_activation(self, name: str) -> None:
        """QuantizeLinear and DequantizeLinear after a tensor with a scale of its own, and after flattening."""
        tensor = self.activations.get(name)
        if tensor is None:
            # Max pooling hands the integers on; between flattening and Gemm the runtime fuses only what is written.
            tensor = self.activations.get(source_of(self.graph, name)) if self._is_flattened(name) else None
        if tensor is None:
            return
        scale = self._scalar(np.float32(tensor.scale[0]))
        zero_point = self._scalar(np.uint8(tensor.zero_point[0]))
        self._append("QuantizeLinear", [name, scale, zero_point], f"{name}_q")
        self._append("DequantizeLinear", [f"{name}_q", scale, zero_point], f"{name}_d")
        self.read_as[name] = f"{name}_d"

    def _is_flattened(self, name: str) -> bool:
        outputs = {output.name for output in self.graph.output}
        return name not in outputs and any(
            node.op_type == "Flatten" and node.output[0] == name for node in self.graph.node
        )

    def _dequantize_weight(self, call: Call) -> str:
        tensor = self.weights[call.layer]
        name = f"{call.weight}_d"
        if call.weight in self.initializers:
            return name
        self._constant(call.weight, quantize(array_of(self.known[call.weight]), tensor))
        inputs = [call.weight, self._constant(f"{call.weight}_s", _per_channel(tensor))]
        if call.node.op_type == "Gemm":
            # Without it the runtime computes a Gemm in float; a convolution needs none.
            inputs.append(self._constant(f"{call.weight}_z", np.zeros_like(_per_channel(tensor), dtype=np.int8)))
        self._append("DequantizeLinear", inputs, name, tensor.axis)
        return name

    def _dequantize_bias(self, call: Call) -> str:
        tensor = self.weights[call.layer]
        activation = self.activations[source_of(self.graph, call.node.input[0])]
        # A layer that is called twice has two inputs, and so two scales for one bias.
        stem = str(call.bias) if call.index == 0 else f"{call.bias}_{call.index}"
        scale = np.float32(activation.scale[0]) * _per_channel(tensor)
        bias = array_of(self.known[str(call.bias)])
        integers = np.rint(bias.astype(np.float64) / scale.astype(np.float64))
        limits = np.iinfo(np.int32)
        self._constant(stem, np.clip(integers, limits.min, limits.max).astype(np.int32))
        self._append("DequantizeLinear", [stem, self._constant(f"{stem}_s", scale)], f"{stem}_d", tensor.axis)
        return f"{stem}_d"

    def _append(self, operator: str, inputs: list[str], output: str, axis: int | None = None) -> None:
        # 1 is the axis that the standard assumes.
        options = {} if axis is None or axis == 1 else {"axis": axis}
        self.nodes.append(helper.make_node(operator, inputs, [output], **options))

    def _constant(self, name: str, values: Array) -> str:
        self.initializers[name] = values
        return name

    def _scalar(self, value: np.float32 | np.uint8) -> str:
        """A shared scalar: equal scales and equal zero points stand in the file once."""
        letter = "z" if isinstance(value, np.uint8) else "s"
        for name, values in self.initializers.items():
            if name[0] == letter and name[1:].isdigit() and values.item() == value.item():
                return name
        count = sum(name[0] == letter and name[1:].isdigit() for name in self.initializers)
        return self._constant(f"{letter}{count}", np.asarray(value))


def _per_channel(tensor: QuantizedTensor) -> FloatArray:
    """The scale as float32: one number a channel, or a scalar."""
    scale = np.asarray(tensor.scale, dtype=np.float32)
    return scale if tensor.axis is not None else scale.reshape(())


def _find(points: Points, layer: str, port: str, index: int, weight: onnx.TensorProto) -> QuantizedTensor:
    tensor = _find_equal(points, [(layer, port, index)])
    expected = 1 if tensor.axis is None else weight.dims[tensor.axis]
    if len(tensor.scale) != expected:
        raise PlanError(
            "the plan is for a layer of another size",
            where=layer,
            value=len(tensor.scale),
            expected=f"{expected} scales",
        )
    return tensor


def _find_equal(points: Points, keys: list[tuple[str, str, int]]) -> QuantizedTensor:
    """The tensor of the first key; every key must be in the plan, with an equal one."""
    for layer, port, index in keys:
        if (layer, port, index) not in points:
            raise PlanError("the plan has no point for this place", where=layer, value=f"{port} of call {index}")
        if points[layer, port, index] != points[keys[0]]:
            raise PlanError(
                "the plan gives two scales to one tensor",
                where=layer,
                value=f"{port} of call {index}",
                expected=f"the scale of {keys[0][0]}'s {keys[0][1]}",
            )
    return points[keys[0]]
