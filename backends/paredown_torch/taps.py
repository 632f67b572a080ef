"""Outputs of layers and of blocks of layers: their shapes, and the outputs themselves while a network runs."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from paredown.errors import PlanError
from paredown_torch.model import device_of, evaluation_mode


def measure(model: nn.Module, input_shape: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    """The shape, without the batch axis, of what every layer and block gives, in one pass in evaluation mode.

    Args:
        model: The network; it is left as it was.
        input_shape: (channels, height, width).
    """
    names = [name for name, _ in model.named_modules() if name]
    with captured(model, names) as found, evaluation_mode(model), torch.no_grad():
        model(torch.zeros((1, *input_shape), device=device_of(model)))
    return {name: tuple(output.shape[1:]) for name, output in found.items()}


@contextlib.contextmanager
def captured(model: nn.Module, names: Iterable[str]) -> Iterator[dict[str, torch.Tensor]]:
    """Keeps what layers and blocks give in each pass, by name, for as long as it is open.

    Nothing stays in the network, whatever is raised meanwhile. Of a layer that is called more than once the last call
    counts; a layer that gives anything but one tensor is left out.

    Raises:
        PlanError: The network has no layer of one of these names.
    """
    asked = tuple(dict.fromkeys(names))
    modules = dict(model.named_modules()) if asked else {}
    found: dict[str, torch.Tensor] = {}
    with contextlib.ExitStack() as stack:
        for name in asked:
            module = _named(modules, name)
            stack.callback(module.register_forward_hook(partial(_keep, found, name)).remove)
        yield found


def _keep(found: dict[str, torch.Tensor], name: str, _: nn.Module, __: Any, output: Any) -> None:
    if isinstance(output, torch.Tensor):
        found.pop(name, None)
        # A copy: a layer behind this one may work in place, and a tap is what its own layer gives.
        found[name] = output.clone()


def _named(modules: dict[str, nn.Module], name: str) -> nn.Module:
    if name in modules:
        return modules[name]
    near = difflib.get_close_matches(name, modules, n=1)
    raise PlanError(
        "the plan taps a layer that the network does not have",
        where=name,
        expected="a layer or a block of this network",
        remedy=f"the nearest is {near[0]}" if near else "name layers as `measure` tells them",
    )
