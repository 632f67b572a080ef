"""The scales of weights: from the weights themselves, wide enough for biases, or as a correction fixed them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import onnx

from paredown.algorithms.grouping import row_count
from paredown.algorithms.qparams import FULL_TARGETS, weight_qparams, weight_range
from paredown.deploy.canonical.graph import array_of, constants
from paredown.deploy.integer_biases import absmax_for, has_integer_bias
from paredown.deploy.places import Call, source_of
from paredown.errors import PlanError
from paredown.plan import QuantizedTensor
from paredown.spec.models import QuantizeStep

if TYPE_CHECKING:
    from paredown.contracts import FloatArray

CALIBRATED = ("static", "qat")
"""Modes whose activations have scales in the plan."""


def weight_scales(
    graph: onnx.GraphProto,
    calls: Mapping[str, list[Call]],
    activations: Mapping[str, QuantizedTensor],
    step: QuantizeStep,
    target: str,
    fixed: Mapping[str, QuantizedTensor],
) -> dict[str, QuantizedTensor]:
    """How each layer's weight is quantized.

    A channel of tiny weights gets a scale that is large enough for its bias to fit 32 bits, unless it is fixed.

    Args:
        graph: The canonical network.
        calls: The calls of each layer that is quantized.
        activations: How the tensors that layers read are quantized; empty where the plan does not say.
        step: Mode, widths and granularity.
        target: What the file is for.
        fixed: What is decided already, by layer.

    Returns:
        The quantized tensors, by layer.

    Raises:
        PlanError: `fixed` names a layer that is not quantized, or has as many scales as the weight does not.
        DataError: A weight is not finite.
        UnsupportedError: The target is unknown, or weights of the width cannot be deployed.
    """
    known = constants(graph)
    group_size = step.weights.group_size if step.weights.granularity == "group" else None
    has_integers = bool(activations) and has_integer_bias(step.weights.bits, group_size)
    _, qmax = weight_range(step.weights.bits, target, symmetric=step.weights.symmetric)
    unknown = [layer for layer in fixed if layer not in calls]
    if unknown:
        raise PlanError(
            "weights have fixed scales that are not quantized",
            where="fixed",
            value=", ".join(unknown[:5]),
            expected="layers that are quantized",
            remedy="leave these layers out of what is fixed",
        )
    tensors = {}
    for layer, its_calls in calls.items():
        call = its_calls[0]
        weight = array_of(known[call.weight])
        if layer in fixed:
            tensors[layer] = _fitting(layer, fixed[layer], weight)
            continue
        least = None
        if has_integers and call.bias is not None:
            scale = min(activations[source_of(graph, one.node.input[0])].scale[0] for one in its_calls)
            least = absmax_for(array_of(known[call.bias]), scale, qmax)
        # Nothing multiplies these as integers, so nothing saturates.
        reach = FULL_TARGETS[0] if step.mode == "weight_only" else target
        tensors[layer] = weight_qparams(weight, step.weights, reach, least_absmax=least, where=call.weight)
    return tensors


def _fitting(layer: str, tensor: QuantizedTensor, weight: FloatArray) -> QuantizedTensor:
    expected = row_count(weight.shape, tensor.axis, tensor.group_size)
    if len(tensor.scale) != expected:
        raise PlanError(
            "fixed scales do not fit the weight",
            where=layer,
            value=len(tensor.scale),
            expected=f"{expected} scales",
            remedy="make them for this network",
        )
    return tensor
