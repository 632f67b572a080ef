"""Simulating a quantization plan: weights replaced by what the integers stand for, activations by fake quantization."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import Any

import torch
from torch import nn

from paredown.contracts import Outcome
from paredown.errors import PlanError
from paredown.plan import QuantizationPoint, QuantizedTensor, QuantPlan

Points = dict[int, QuantizationPoint]
"""The points of one port of a layer, by the index of the call."""


def quantize(model: nn.Module, plan: QuantPlan) -> Outcome:
    """Applies every point of the plan that a layer owns, in place; the evidence counts them.

    Calls of a layer are counted from the start of each forward pass of the network.

    Raises:
        PlanError: A point names a layer that the network does not have, or its scales do not fit the tensor.
    """
    points = [point for point in plan.points if point.owner == "layer"]
    modules = {point.layer: _module(model, point) for point in points}
    _quantize_weights(modules, [point for point in points if point.port == "weight"])
    counts: Counter[str] = Counter()
    for port, attach in (("input", _attach_input), ("output", _attach_output)):
        for layer, module in modules.items():
            by_call = {point.index: point for point in points if point.layer == layer and point.port == port}
            if by_call:
                attach(module, f"{port} of {layer}", by_call, counts)

    def restart(*_: Any) -> None:
        counts.clear()

    model.register_forward_pre_hook(restart, prepend=True)
    return Outcome(model, {"points": len(points)})


def fake_quantize(values: torch.Tensor, quantized: QuantizedTensor) -> torch.Tensor:
    """What the integers stand for: (q - zero_point) * scale.

    q = clip(round_half_even(x / scale) + zero_point, qmin, qmax), as in Jacob et al. (2018).
    All in float32, operation for operation what NumPy does with float32 arrays.

    Raises:
        ValueError: There is not one scale and zero point for each index of the axis.
    """
    axis = quantized.axis
    wanted = 1 if axis is None else values.shape[axis]
    if len(quantized.scale) != wanted or len(quantized.zero_point) != wanted:
        raise ValueError(f"{len(quantized.scale)} scales and {len(quantized.zero_point)} zero points for {wanted}")
    shape = [wanted if dimension == axis else 1 for dimension in range(values.ndim)]
    scale = torch.tensor(quantized.scale, dtype=torch.float32, device=values.device).reshape(shape)
    zero_point = torch.tensor(quantized.zero_point, dtype=torch.float32, device=values.device).reshape(shape)
    integers = torch.clamp(torch.round(values / scale) + zero_point, quantized.qmin, quantized.qmax)
    return (integers - zero_point) * scale


def _module(model: nn.Module, point: QuantizationPoint) -> nn.Module:
    modules: dict[str, nn.Module] = dict(model.named_modules())
    if point.layer in modules:
        return modules[point.layer]
    near = difflib.get_close_matches(point.layer, modules, n=1)
    raise PlanError(
        "the plan names a layer that the network does not have",
        where=point.layer,
        value=f"a point on its {point.port}",
        remedy=f"replay the plan on the network that it was made for; the nearest layer here is {near[0]}"
        if near
        else "replay the plan on the network that it was made for",
    )


def _quantize_weights(modules: dict[str, nn.Module], points: list[QuantizationPoint]) -> None:
    # All are computed before any is put in place, so that a plan that does not fit changes nothing.
    computed: list[tuple[nn.Parameter, torch.Tensor]] = []
    for point in points:
        weight = getattr(modules[point.layer], "weight", None)
        if not isinstance(weight, nn.Parameter):
            raise PlanError("the plan quantizes the weight of a layer that has none", where=point.layer)
        computed.append((weight, _apply(weight.detach(), point, f"weight of {point.layer}")))
    for weight, values in computed:
        weight.data.copy_(values)


def _apply(values: torch.Tensor, point: QuantizationPoint, where: str) -> torch.Tensor:
    try:
        return fake_quantize(values, point.tensor)
    except (ValueError, IndexError) as error:
        raise PlanError(
            "the plan's scales do not fit the tensor",
            where=where,
            value=str(error),
            expected=f"axis {point.tensor.axis} of shape {tuple(values.shape)}",
            remedy="replay the plan on the network that it was made for",
        ) from error


def _attach_input(module: nn.Module, where: str, points: Points, counts: Counter[str]) -> None:
    def before(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (_next(args[0], where, points, counts), *args[1:])

    module.register_forward_pre_hook(before)


def _attach_output(module: nn.Module, where: str, points: Points, counts: Counter[str]) -> None:
    def after(_: nn.Module, __: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        return _next(output, where, points, counts)

    module.register_forward_hook(after)


def _next(values: torch.Tensor, where: str, points: Points, counts: Counter[str]) -> torch.Tensor:
    point = points.get(counts[where])
    counts[where] += 1
    return values if point is None else _apply(values, point, where)
