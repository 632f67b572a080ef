"""Simulating a quantization plan: weights replaced by what the integers stand for, activations by fake quantization."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from paredown.contracts import Outcome
from paredown.plan import QuantizationPoint, QuantPlan
from paredown_torch.fake_quantization import fake_quantize
from paredown_torch.half_precision import round_network
from paredown_torch.points import attach, layer_of, misfit, weight_of

PORTS: tuple[Literal["input", "output"], ...] = ("input", "output")


def quantize(model: nn.Module, plan: QuantPlan) -> Outcome:
    """Applies every point of the plan that a layer owns, in place; the evidence counts them as `points`.

    Calls of a layer are counted from the start of each forward pass of the network. A plan of mode `fp16` has no
    points: see `round_network`.

    Raises:
        PlanError: A point names a layer that the network does not have, or its scales do not fit the tensor.
        DataError: A weight does not fit a 16-bit float; or, when the network runs, a value is not finite whose range
            is taken then.
    """
    if plan.mode == "fp16":
        return round_network(model, plan.left_float)
    points = [point for point in plan.points if point.owner == "layer"]
    named = dict(model.named_modules())
    modules = {point.layer: layer_of(named, point) for point in points}
    _quantize_weights(modules, [point for point in points if point.port == "weight"])
    counts: Counter[str] = Counter()
    for port in PORTS:
        for layer, module in modules.items():
            where = f"{port} of {layer}"
            changes = {
                point.index: partial(_quantized, point=point, where=where)
                for point in points
                if point.layer == layer and point.port == port
            }
            if changes:
                attach(module, port, where, changes, counts)

    def restart(*_: Any) -> None:
        counts.clear()

    model.register_forward_pre_hook(restart, prepend=True)
    return Outcome(model, {"points": len(points)})


def _quantize_weights(modules: Mapping[str, nn.Module], points: Sequence[QuantizationPoint]) -> None:
    # All are computed before any is put in place, so that a plan that does not fit changes nothing.
    weights = [weight_of(modules, point) for point in points]
    computed = [
        _quantized(weight.detach(), point, f"weight of {point.layer}")
        for weight, point in zip(weights, points, strict=True)
    ]
    for weight, values in zip(weights, computed, strict=True):
        weight.data.copy_(values)


def _quantized(values: torch.Tensor, point: QuantizationPoint, where: str) -> torch.Tensor:
    try:
        return fake_quantize(values, point.tensor, where=where)
    except (ValueError, IndexError) as error:
        raise misfit(where, point.tensor, values.shape, error) from error
