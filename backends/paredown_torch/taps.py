"""Outputs of layers and of blocks of layers: their shapes, and the outputs themselves while a network runs."""

from __future__ import annotations

import contextlib
import difflib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from paredown.algorithms.calls import call_name, layer_of
from paredown.errors import PlanError
from paredown_torch.model import device_of, evaluation_mode


def measure(model: nn.Module, input_shape: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    """The shape, without the batch axis, of what every layer and block gives, in one pass in evaluation mode.

    Args:
        model: The network; it is left as it was.
        input_shape: (channels, height, width).
    """
    with captured(model) as found, evaluation_mode(model), torch.no_grad():
        model(torch.zeros((1, *input_shape), device=device_of(model)))
    return {name: tuple(output.shape[1:]) for name, output in found.items()}


@contextlib.contextmanager
def captured(model: nn.Module, names: Iterable[str] | None = None) -> Iterator[dict[str, torch.Tensor]]:
    """Keeps what calls of layers and blocks give in the latest pass, by name, for as long as it is open.

    Nothing stays in the network, whatever is raised meanwhile. A layer that gives anything but one tensor is left out.

    Args:
        model: The network.
        names: Of calls (`paredown.algorithms.calls`); without them every call of every layer and block is kept.

    Raises:
        PlanError: The network has no layer of one of these names.
    """
    modules = {name: module for name, module in model.named_modules() if name}
    asked = None if names is None else frozenset(names)
    layers = modules if asked is None else dict.fromkeys(map(layer_of, sorted(asked)))
    found: dict[str, torch.Tensor] = {}
    calls: Counter[str] = Counter()

    def begin(_: nn.Module, __: Any) -> None:
        found.clear()
        calls.clear()

    def keep(name: str, _: nn.Module, __: Any, output: Any) -> None:
        call = call_name(name, calls[name])
        calls[name] += 1
        if isinstance(output, torch.Tensor) and (asked is None or call in asked):
            # A copy: a layer behind this one may work in place, and a tap is what its own layer gives.
            found[call] = output.clone()

    with contextlib.ExitStack() as stack:
        if layers:
            stack.callback(model.register_forward_pre_hook(begin).remove)
        for name in layers:
            stack.callback(_named(modules, name).register_forward_hook(partial(keep, name)).remove)
        yield found


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
