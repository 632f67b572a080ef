"""The quantization plan: a scale and a zero point for every place, from observed ranges and from the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx

from paredown.algorithms.qparams import affine_qparams, symmetric_qparams, weight_range
from paredown.deploy.canonical.graph import array_of, constants
from paredown.deploy.places import Call, layer_calls, layer_name, places, source_of, unquantizable
from paredown.errors import PlanError
from paredown.plan import QuantizationPoint, QuantizedTensor, QuantPlan
from paredown.spec.models import QuantizeStep

if TYPE_CHECKING:
    from paredown.contracts import FloatArray

LARGEST_BIAS = 2**30
"""Biases are 32-bit integers; this leaves as much room again for the products that are added to them."""


def make_plan(
    model: onnx.ModelProto, ranges: Mapping[str, tuple[float, float]], step: QuantizeStep, target: str
) -> QuantPlan:
    """Decides every scale and zero point.

    Args:
        model: The canonical network.
        ranges: (minimum, maximum) of each tensor that `quantized_tensors` names.
        step: Bits and granularity.
        target: What the file is for; it decides how far weights may reach.

    Returns:
        The plan, points in the graph's order, each layer's weight after its inputs.

    Raises:
        PlanError: A tensor has no range.
        DataError: A range or a weight is not finite.
    """
    graph = model.graph
    named = places(graph)
    missing = [name for name in named if name not in ranges]
    if missing:
        raise PlanError("tensors were not observed", where="calibration", value=", ".join(missing[:5]))
    bits = step.activations.bits
    activations = {name: affine_qparams(*ranges[name], bits=bits, where=named[name][0].layer) for name in named}
    points = [
        QuantizationPoint(layer=place.layer, port=place.port, index=place.index, owner=place.owner, tensor=tensor)
        for name, tensor in activations.items()
        for place in named[name]
    ]
    by_layer: dict[str, list[Call]] = {}
    for call in layer_calls(graph):
        by_layer.setdefault(call.layer, []).append(call)
    for layer, calls in by_layer.items():
        scales = [activations[source_of(graph, call.node.input[0])].scale[0] for call in calls]
        tensor = _weight_qparams(graph, calls[0], min(scales), step, target)
        points.append(QuantizationPoint(layer=layer, port="weight", tensor=tensor))
    return QuantPlan(target=target, points=tuple(points), left_float=_left_float(graph))


def _weight_qparams(
    graph: onnx.GraphProto, call: Call, input_scale: float, step: QuantizeStep, target: str
) -> QuantizedTensor:
    """Scales of a weight. A channel of tiny weights gets one that is large enough for its bias to fit 32 bits."""
    known = constants(graph)
    weight = array_of(known[call.weight])
    qmin, qmax = weight_range(step.weights.bits, target)
    absmax = np.abs(weight.astype(np.float64)).reshape(len(weight), -1).max(axis=1)
    if call.bias is not None:
        absmax = np.maximum(absmax, _absmax_for_bias(array_of(known[call.bias]), input_scale, qmax))
    per_channel = step.weights.granularity == "channel"
    bound = absmax if per_channel else absmax.max(keepdims=True)
    return symmetric_qparams(
        bound, qmin, qmax, bits=step.weights.bits, axis=0 if per_channel else None, where=call.weight
    )


def _absmax_for_bias(bias: FloatArray, input_scale: float, qmax: int) -> FloatArray:
    """The absmax at which |bias| / (input scale * weight scale) is the largest bias that is allowed."""
    return np.abs(bias.astype(np.float64)) / (input_scale * LARGEST_BIAS) * qmax


def _left_float(graph: onnx.GraphProto) -> dict[str, str]:
    known = constants(graph)
    weighted = [node for node in graph.node if len(node.input) > 1 and str(node.input[1]).endswith(".weight")]
    reasons = {layer_name(node): unquantizable(node, known) for node in weighted}
    return {layer: reason for layer, reason in reasons.items() if reason is not None}
