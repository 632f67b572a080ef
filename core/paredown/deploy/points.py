"""The quantization plan: a scale and a zero point for every place, from observed ranges and from the weights."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from paredown.algorithms.qparams import AT_RUN_TIME, activation_qparams
from paredown.contracts import PointKey
from paredown.deploy.canonical.graph import constants
from paredown.deploy.places import Call, Place, layer_calls, layer_name, places, unquantizable
from paredown.deploy.weight_scales import CALIBRATED, weight_scales
from paredown.errors import PlanError
from paredown.plan import QuantizationPoint, QuantizedTensor, QuantPlan
from paredown.spec.models import QuantizeStep
from paredown.spec.nearest import suggestion


def make_plan(
    model: onnx.ModelProto,
    ranges: Mapping[str, tuple[float, float]],
    step: QuantizeStep,
    target: str,
    *,
    left: Mapping[str, str] | None = None,
    fixed: Mapping[str, QuantizedTensor] | None = None,
    learned: Mapping[PointKey, QuantizedTensor] | None = None,
) -> QuantPlan:
    """Decides every scale and zero point.

    Args:
        model: The canonical network.
        ranges: (minimum, maximum) of each tensor that `quantized_tensors` names, and maybe of others; needed for
            `static` and `qat` alone.
        step: Mode, widths and granularity.
        target: What the file is for; it decides how far weights reach that are multiplied as 8-bit integers.
        left: Layers that stay in float, with the reason.
        fixed: How the weights of layers are quantized that were made for these scales, by layer.
        learned: How activations are quantized whose scales were learned, by point; all places of a tensor take what is
            given for one of them.

    Returns:
        The plan, points in the graph's order, each layer's weight after all activations.

    Raises:
        PlanError: A tensor has no range, or `left`, `fixed` or `learned` name what is not there or does not fit.
        DataError: A range or a weight is not finite.
        UnsupportedError: The target is unknown, or weights of the width cannot be deployed.
    """
    graph, left = model.graph, left or {}
    _require_layers(graph, left)
    if step.mode == "fp16":
        return QuantPlan(mode="fp16", target=target, points=(), left_float=dict(left))
    calls: dict[str, list[Call]] = {}
    for call in layer_calls(graph, left):
        calls.setdefault(call.layer, []).append(call)
    points: list[QuantizationPoint] = []
    activations: dict[str, QuantizedTensor] = {}
    if step.mode in CALIBRATED:
        named = places(graph, left)
        activations = _activations(named, ranges, step, learned or {})
        points += [_point(place, tensor) for name, tensor in activations.items() for place in named[name]]
    elif step.mode == "dynamic":
        used = [Place(layer, "input", call.index) for layer, its_calls in calls.items() for call in its_calls]
        points += [_point(place, AT_RUN_TIME) for place in used]
    tensors = weight_scales(graph, calls, activations, step, target, fixed or {})
    points += [QuantizationPoint(layer=layer, port="weight", tensor=tensor) for layer, tensor in tensors.items()]
    return QuantPlan(mode=step.mode, target=target, points=tuple(points), left_float=_unquantizable(graph) | dict(left))


def _activations(
    named: Mapping[str, tuple[Place, ...]],
    ranges: Mapping[str, tuple[float, float]],
    step: QuantizeStep,
    learned: Mapping[PointKey, QuantizedTensor],
) -> dict[str, QuantizedTensor]:
    """How each quantized tensor of the graph is quantized."""
    if step.activations is None:
        raise PlanError(
            f"`{step.mode}` quantizes activations, and nothing says how",
            where="activations",
            expected="a width and an observer",
            remedy="set the step's `activations`",
        )
    found = _learned(named, learned)
    missing = [name for name in named if name not in ranges and name not in found]
    if missing:
        raise PlanError(
            "tensors were not observed",
            where="calibration",
            value=", ".join(missing[:5]),
            expected="a range of every tensor that is quantized",
            remedy="calibrate this very network",
        )
    bits, symmetric = step.activations.bits, step.activations.symmetric
    return {
        name: found[name]
        if name in found
        else activation_qparams(*ranges[name], bits=bits, symmetric=symmetric, where=own[0].layer)
        for name, own in named.items()
    }


def _learned(
    named: Mapping[str, tuple[Place, ...]], learned: Mapping[PointKey, QuantizedTensor]
) -> dict[str, QuantizedTensor]:
    """The learned tensors, by the graph's names."""
    name_of: dict[PointKey, str] = {
        (place.layer, place.port, place.index): name for name, own in named.items() for place in own
    }
    found: dict[str, QuantizedTensor] = {}
    for key, tensor in learned.items():
        where = f"{key[1]} of call {key[2]} of {key[0]}"
        name = name_of.get(key)
        if name is None:
            raise PlanError(
                "a scale was learned for a place where no activation is quantized",
                where=where,
                expected="an input or an output that this network quantizes",
                remedy="plan for the network that was trained",
            )
        if found.setdefault(name, tensor) != tensor:
            raise PlanError(
                "two scales were learned for one tensor",
                where=where,
                value=f"{tensor.scale[0]} beside {found[name].scale[0]}",
                expected="one scale for all places of a tensor",
                remedy="learn one scale for points with the same leader",
            )
    return found


def _point(place: Place, tensor: QuantizedTensor) -> QuantizationPoint:
    return QuantizationPoint(layer=place.layer, port=place.port, index=place.index, owner=place.owner, tensor=tensor)


def _unquantizable(graph: onnx.GraphProto) -> dict[str, str]:
    """The layers that cannot be quantized, with the reason."""
    known = constants(graph)
    reasons = {layer_name(node): unquantizable(node, known) for node in _weighted(graph)}
    return {layer: reason for layer, reason in reasons.items() if reason is not None}


def _require_layers(graph: onnx.GraphProto, left: Mapping[str, str]) -> None:
    layers = {layer_name(node) for node in _weighted(graph)}
    unknown = [layer for layer in left if layer not in layers]
    if unknown:
        raise PlanError(
            "layers were to stay in float that the network does not have",
            where="left_float",
            value=", ".join(unknown[:5]),
            expected="layers with weights, by their neutral names",
            remedy=suggestion(unknown[0], sorted(layers)),
        )


def _weighted(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    return [node for node in graph.node if len(node.input) > 1 and str(node.input[1]).endswith(".weight")]
