"""Networks whose weights are integers and whose arithmetic is float."""

from __future__ import annotations

import onnx

from paredown.deploy.places import layer_calls
from paredown.deploy.writing.graph_file import GraphFile
from paredown.deploy.writing.plan_points import weight_tensors
from paredown.deploy.writing.storage import TernaryStorage
from paredown.deploy.writing.weights import WeightWriter
from paredown.plan import QuantPlan


def write_weight_only(model: onnx.ModelProto, plan: QuantPlan, ternary: TernaryStorage = "packed") -> onnx.ModelProto:
    """The network with a DequantizeLinear between each quantized weight and its layer; nothing else changes.

    Raises:
        PlanError: A weight has no point, or its scales do not fit.
    """
    file = GraphFile(model.graph)
    calls = {call.node.output[0]: call for call in layer_calls(model.graph, plan.left_float)}
    tensors = weight_tensors(model.graph, calls.values(), plan)
    weights = WeightWriter(file, ternary)
    for node in model.graph.node:
        inputs = list(node.input)
        if node.output[0] in calls:
            call = calls[node.output[0]]
            inputs[1] = weights.dequantized(call.weight, tensors[call.layer])
        file.copy(node, inputs)
    return file.finish()
