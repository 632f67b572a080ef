"""Outputs of layers and of blocks of layers: their shapes, and the outputs themselves while a network runs."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

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
    names = [name for name, _ in named_layers(model) if name]
    with captured(model, names) as found, evaluating(model), paddle.no_grad():
        model(paddle.zeros([1, *input_shape], "float32"))
    return {name: tuple(int(size) for size in output.shape[1:]) for name, output in found.items()}


@contextlib.contextmanager
def captured(model: Any, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Keeps what layers and blocks give in each pass, by neutral name, for as long as it is open.

    Nothing stays in the network, whatever is raised meanwhile. Of a layer that is called more than once the last call
    counts; a layer that gives anything but one tensor is left out.

    Raises:
        PlanError: When the network has no layer of one of these names.
    """
    asked = tuple(dict.fromkeys(names))
    layers = {name: layer for name, layer in named_layers(model) if name} if asked else {}
    found: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        for name in asked:
            handle = _named(layers, name).register_forward_post_hook(_keeper(found, name))
            stack.callback(handle.remove)
        yield found


def _keeper(found: dict[str, Any], name: str) -> Any:
    def keep(layer: Any, inputs: Any, output: Any) -> None:  # noqa: ARG001 - Paddle's signature
        if isinstance(output, paddle.Tensor):
            found.pop(name, None)
            # A copy: a layer behind this one may work in place, and a tap is what its own layer gives.
            found[name] = output.clone()

    return keep


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
