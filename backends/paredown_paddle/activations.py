"""Measuring how active the input channels of layers are, reduced on the device to sums."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.contracts import Activity, MeasureRequest
from paredown.errors import ModelError
from paredown_paddle.framework import paddle
from paredown_paddle.modes import measured_copy
from paredown_paddle.names import named_layers


class _Sums:
    """What is known of the inputs of one layer; totals are [input channels], float64."""

    def __init__(self) -> None:
        self.absolute: Any = 0.0
        self.zeros: Any = 0.0
        self.values = 0

    def on_input(self, layer: Any, inputs: Any) -> None:
        """Takes the input of one call."""
        given = inputs[0]
        channels = given.ndim - 1 if isinstance(layer, (paddle.nn.Linear, paddle.nn.LayerNorm)) else 1
        others = [axis for axis in range(given.ndim) if axis != channels]
        self.absolute = self.absolute + given.astype("float64").abs().sum(others)
        self.zeros = self.zeros + (given == 0).astype("float64").sum(others)
        self.values += int(given.size) // int(given.shape[channels])

    def activity(self) -> Activity:
        """The sums as means."""
        return Activity((self.absolute / self.values).numpy(), (self.zeros / self.values).numpy())


def measure_activations(model: Any, request: MeasureRequest) -> dict[str, Activity]:
    """The activity of the input channels of each layer asked for, over all images; all calls of a layer together.

    A copy of the network is measured, in evaluation mode and float64. Channels lie on axis 1, and on the last one for
    Linear layers.

    Raises:
        ModelError: When a layer is not in the network, or is never called.
    """
    copied, dtype = measured_copy(model, request.input_shape)
    layers = {name: layer for name, layer in named_layers(copied) if name}
    for name in request.layer_names:
        _check(name, layers)
    sums = {name: _Sums() for name in request.layer_names}
    for name, each in sums.items():
        layers[name].register_forward_pre_hook(each.on_input)
    with paddle.no_grad():
        for images, _ in request.batches:
            copied(paddle.to_tensor(np.ascontiguousarray(images), dtype=dtype))
    for name, each in sums.items():
        if not each.values:
            raise ModelError(
                "the layer saw no input",
                where=name,
                expected="a layer that the network calls, and at least one batch of images",
                remedy="leave the layer out of the request, or give it images",
            )
    return {name: each.activity() for name, each in sums.items()}


def _check(name: str, layers: Mapping[str, Any]) -> None:
    if name in layers:
        return
    near = difflib.get_close_matches(name, list(layers), n=1)
    raise ModelError(
        "activations are asked for a layer that the network does not have",
        where=name,
        expected=f"a layer of this network, such as {near[0]}" if near else "a layer of this network",
        remedy="name layers as `measure` tells them",
    )
