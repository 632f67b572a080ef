"""Outputs of layers and of blocks of layers: their shapes, and the outputs themselves while a network runs."""

from __future__ import annotations

import contextlib
import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from paredown.algorithms.calls import call_name, layer_of
from paredown.errors import PlanError
from paredown_paddle.framework import paddle
from paredown_paddle.modes import evaluating
from paredown_paddle.names import named_layers


def measure_taps(model: Any, input_shape: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    """The shape, without the batch axis, of what every layer and block gives, in one pass in evaluation mode.

    Args:
        model: The network; it is left as it was.
        input_shape: (channels, height, width).
    """
    with captured(model) as found, evaluating(model), paddle.no_grad():
        model(paddle.zeros([1, *input_shape], "float32"))
    return {name: tuple(int(size) for size in output.shape[1:]) for name, output in found.items()}


@contextlib.contextmanager
def captured(model: Any, names: Iterable[str] | None = None) -> Iterator[dict[str, Any]]:
    """Keeps what calls of layers and blocks give in the latest pass, by neutral name, for as long as it is open.

    Nothing stays in the network, whatever is raised meanwhile. A layer that gives anything but one tensor is left out.

    Args:
        model: The network.
        names: Of calls (`paredown.algorithms.calls`); without them every call of every layer and block is kept.

    Raises:
        PlanError: When the network has no layer of one of these names.
    """
    known = {name: layer for name, layer in named_layers(model) if name}
    asked = None if names is None else frozenset(names)
    layers = known if asked is None else dict.fromkeys(map(layer_of, sorted(asked)))
    found: dict[str, Any] = {}
    calls: Counter[str] = Counter()

    def begin(_: Any, __: Any) -> None:
        found.clear()
        calls.clear()

    def keep(name: str, _: Any, __: Any, output: Any) -> None:
        call = call_name(name, calls[name])
        calls[name] += 1
        if isinstance(output, paddle.Tensor) and (asked is None or call in asked):
            # A copy: a layer behind this one may work in place, and a tap is what its own layer gives.
            found[call] = output.clone()

    with contextlib.ExitStack() as stack:
        if layers:
            stack.callback(model.register_forward_pre_hook(begin).remove)
        for name in layers:
            stack.callback(_named(known, name).register_forward_post_hook(partial(keep, name)).remove)
        yield found


def _named(layers: Mapping[str, Any], name: str) -> Any:
    if name in layers:
        return layers[name]
    near = difflib.get_close_matches(name, list(layers), n=1)
    raise PlanError(
        "the plan taps a layer that the network does not have",
        where=name,
        expected="a layer or a block of this network",
        remedy=f"the nearest is {near[0]}" if near else "name layers as `measure` tells them",
    )
