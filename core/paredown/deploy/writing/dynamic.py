"""Integer layers whose activations are quantized at run time: DynamicQuantizeLinear, ConvInteger, MatMulInteger.

The product of integers is exact in 32 bits; it is multiplied by the input's scale times the weight's, and the float
bias is added.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto

from paredown.deploy.canonical.graph import attributes
from paredown.deploy.places import Call, layer_calls
from paredown.deploy.writing.graph_file import GraphFile
from paredown.deploy.writing.plan_points import one_tensor, points_of, weight_tensors
from paredown.deploy.writing.storage import TernaryStorage
from paredown.deploy.writing.weights import MOVED, WeightWriter, scale_name, scales, zero_points
from paredown.errors import PlanError
from paredown.plan import QuantizedTensor, QuantPlan


def write_dynamic(model: onnx.ModelProto, plan: QuantPlan, ternary: TernaryStorage = "packed") -> onnx.ModelProto:
    """The network whose layers quantize their inputs at run time.

    The runtime's integer kernels take no weights in groups, and in a convolution no zero points by channel: such layers
    compute in float with the same quantized values.

    Raises:
        PlanError: A point is missing, has a fixed range, or does not fit its weight.
    """
    return _Writer(model, plan, ternary).write()


class _Writer:
    def __init__(self, model: onnx.ModelProto, plan: QuantPlan, ternary: TernaryStorage) -> None:
        self.graph = model.graph
        self.calls = {call.node.output[0]: call for call in layer_calls(self.graph, plan.left_float)}
        self.tensors = weight_tensors(self.graph, self.calls.values(), plan)
        _require_run_time_ranges(self.calls.values(), plan)
        self.file = GraphFile(self.graph)
        self.weights = WeightWriter(self.file, ternary)
        self.quantized: set[str] = set()

    def write(self) -> onnx.ModelProto:
        for node in self.graph.node:
            call = self.calls.get(node.output[0])
            if call is None:
                self.file.copy(node, node.input)
                continue
            self._quantize(node.input[0])
            tensor = self.tensors[call.layer]
            if tensor.group_size is not None or (node.op_type == "Conv" and len(set(tensor.zero_point)) > 1):
                self._in_float(call, tensor)
            else:
                self._in_integers(call, tensor)
        return self.file.finish()

    def _quantize(self, name: str) -> None:
        """The integers of a tensor, with the scale and the zero point of its range at run time."""
        if name not in self.quantized:
            self.quantized.add(name)
            self.file.node("DynamicQuantizeLinear", [name], [f"{name}_q", f"{name}_qs", f"{name}_qz"])

    def _in_integers(self, call: Call, tensor: QuantizedTensor) -> None:
        node, source, output = call.node, call.node.input[0], call.node.output[0]
        is_conv = node.op_type == "Conv"
        # The runtime's ConvInteger is many times slower with signed weights than with unsigned ones.
        moved = is_conv and tensor.qmin < 0
        weight = self.weights.integers(call.weight, tensor, moved=moved)
        if not is_conv and attributes(node).get("transB", 0):
            weight = self._transposed(weight)
        inputs = [f"{source}_q", weight, f"{source}_qz"]
        if moved:
            inputs.append(self.file.scalar(np.uint8(MOVED)))
        elif any(tensor.zero_point):
            inputs.append(self._zero_point(call, tensor, one=is_conv))
        options = attributes(node) if is_conv else {}
        self.file.append("ConvInteger" if is_conv else "MatMulInteger", inputs, f"{output}_a", **options)
        self.file.append("Cast", [f"{output}_a"], f"{output}_f", to=TensorProto.FLOAT)
        rank = self.file.array(call.weight).ndim
        broadcast = (-1, *[1] * (rank - 2)) if is_conv else (-1,)
        scale = scales(tensor, ())
        scale = scale if tensor.axis is None else scale.reshape(broadcast)
        product = self.file.append(
            "Mul", [f"{source}_qs", self.file.constant(scale_name(call.weight), scale)], f"{output}_s"
        )
        if call.bias is None:
            self.file.append("Mul", [f"{output}_f", product], output)
            return
        self.file.append("Mul", [f"{output}_f", product], f"{output}_m")
        bias = self.file.array(call.bias)
        bias = bias.reshape(broadcast) if is_conv else bias
        self.file.append("Add", [f"{output}_m", self.file.constant(call.bias, bias)], output)

    def _in_float(self, call: Call, tensor: QuantizedTensor) -> None:
        """(q - zero point) * scale in plain operators: a DequantizeLinear would let the runtime round the bias."""
        source = call.node.input[0]
        found = f"{source}_o"
        if f"{found}z" not in self.quantized:
            self.quantized.add(f"{found}z")
            for name in ("q", "qz"):
                self.file.append("Cast", [f"{source}_{name}"], f"{source}_{name}f", to=TensorProto.FLOAT)
            self.file.append("Sub", [f"{source}_qf", f"{source}_qzf"], f"{found}z")
            self.file.append("Mul", [f"{found}z", f"{source}_qs"], found)
        inputs = list(call.node.input)
        inputs[:2] = [found, self.weights.dequantized(call.weight, tensor)]
        self.file.copy(call.node, inputs)

    def _transposed(self, weight: str) -> str:
        name = f"{weight}_t"
        return name if name in self.quantized else self._transpose(weight, name)

    def _transpose(self, weight: str, name: str) -> str:
        self.quantized.add(name)
        return self.file.append("Transpose", [weight], name, perm=[1, 0])

    def _zero_point(self, call: Call, tensor: QuantizedTensor, *, one: bool) -> str:
        values = zero_points(tensor, ())
        return self.file.constant(f"{call.weight}_z", np.asarray(values.reshape(-1)[0]) if one else values)


def _require_run_time_ranges(calls: Iterable[Call], plan: QuantPlan) -> None:
    points = points_of(plan)
    for call in calls:
        tensor = one_tensor(points, [(call.layer, "input", call.index)])
        if tensor.scale:
            raise PlanError(
                "a plan for ranges at run time fixes a scale",
                where=call.layer,
                value=f"input of call {call.index}: {tensor.scale[0]}",
                expected="no scale",
                remedy="set the plan's mode to `static`, or make the plan again",
            )
