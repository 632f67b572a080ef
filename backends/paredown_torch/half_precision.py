"""Simulating 16-bit floats: arrays, inputs and outputs of layers with weights are rounded to float16."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import torch
from torch import nn

from paredown.contracts import Outcome
from paredown.errors import DataError


def round_network(model: nn.Module, left: Collection[str]) -> Outcome:
    """Rounds a network to float16, in place; it goes on computing in float32.

    The evidence counts under `float16` the `layers` (those with weights that are not left) and their rounded `arrays`.

    Raises:
        DataError: A number does not fit float16; nothing is changed then.
    """
    layers = {name: module for name, module in model.named_modules() if _has_weight(module) and name not in left}
    arrays = {f"{name}.{own}": array for name, module in layers.items() for own, array in _arrays(module)}
    rounded = {name: _fitting(name, array) for name, array in arrays.items()}
    for name, array in arrays.items():
        array.data.copy_(rounded[name])
    for module in layers.values():
        module.register_forward_pre_hook(_round_input)
        module.register_forward_hook(_round_output)
    return Outcome(model, {"points": 0, "float16": {"layers": len(layers), "arrays": len(arrays)}})


def _has_weight(module: nn.Module) -> bool:
    return isinstance(module._parameters.get("weight"), nn.Parameter)


def _arrays(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for own in (module.named_parameters(recurse=False), module.named_buffers(recurse=False)):
        yield from ((name, array) for name, array in own if array.is_floating_point())


def _fitting(name: str, array: torch.Tensor) -> torch.Tensor:
    rounded = _rounded(array.detach())
    if not torch.isfinite(rounded).all():
        raise DataError(
            "a number does not fit a 16-bit float",
            where=name,
            value=f"greatest absolute value {float(array.detach().abs().max()):g}",
            expected=f"finite numbers up to {torch.finfo(torch.float16).max:g}",
            remedy="protect the layer, or quantize to integers",
        )
    return rounded


def _rounded(values: torch.Tensor) -> torch.Tensor:
    return values.to(torch.float16).to(values.dtype)


def _round_input(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    first: torch.Tensor = args[0]
    return (_rounded(first) if first.is_floating_point() else first, *args[1:])


def _round_output(_: nn.Module, __: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
    return _rounded(output)
