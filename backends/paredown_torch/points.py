"""Where the points of a quantization plan lie in a network: layers, their weights, and the calls of their ports."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from paredown.errors import PlanError
from paredown.plan import QuantizationPoint, QuantizedTensor

Change = Callable[[torch.Tensor], torch.Tensor]
"""Takes a tensor and returns the one that is computed with instead."""

REMEDY = "replay the plan on the network that it was made for"


def layer_of(modules: Mapping[str, nn.Module], point: QuantizationPoint) -> nn.Module:
    """The layer that a point names.

    Raises:
        PlanError: There is none; names the nearest.
    """
    if point.layer in modules:
        return modules[point.layer]
    near = difflib.get_close_matches(point.layer, modules, n=1)
    raise PlanError(
        "the plan names a layer that the network does not have",
        where=point.layer,
        value=f"a point on its {point.port}",
        remedy=f"{REMEDY}; the nearest layer here is {near[0]}" if near else REMEDY,
    )


def weight_of(modules: Mapping[str, nn.Module], point: QuantizationPoint) -> nn.Parameter:
    """The weight of the layer that a point names.

    Raises:
        PlanError: There is no such layer, or it has no weight.
    """
    layer = layer_of(modules, point)
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, nn.Parameter):
        raise PlanError(
            "the plan quantizes the weight of a layer that has none",
            where=point.layer,
            value=type(layer).__name__,
            expected="a layer with a weight",
            remedy=REMEDY,
        )
    return weight


def misfit(where: str, tensor: QuantizedTensor, shape: torch.Size, error: Exception) -> PlanError:
    """The error of scales that do not fit a tensor."""
    grouped = "" if tensor.group_size is None else f", in groups of {tensor.group_size}"
    return PlanError(
        "the plan's scales do not fit the tensor",
        where=where,
        value=str(error),
        expected=f"axis {tensor.axis} of shape {tuple(shape)}{grouped}",
        remedy=REMEDY,
    )


def attach(
    module: nn.Module,
    port: Literal["input", "output"],
    where: str,
    changes: Mapping[int, Change],
    counts: Counter[str],
) -> RemovableHandle:
    """Changes the first input or the output of a layer at chosen calls.

    Args:
        module: The layer.
        port: Which of the two.
        where: What the calls are counted under.
        changes: What to do, by the index of the call.
        counts: Counts the calls; whoever runs the network clears it before each pass.
    """

    def changed(values: torch.Tensor) -> torch.Tensor:
        change = changes.get(counts[where])
        counts[where] += 1
        return values if change is None else change(values)

    def before(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (changed(args[0]), *args[1:])

    def after(_: nn.Module, __: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        return changed(output)

    return module.register_forward_pre_hook(before) if port == "input" else module.register_forward_hook(after)
