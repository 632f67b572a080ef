"""Simulating 16-bit floats: arrays, inputs and outputs of layers with weights are rounded to float16."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from paredown.contracts import Array, Outcome
from paredown.errors import DataError
from paredown_paddle.framework import paddle
from paredown_paddle.names import tensors
from paredown_paddle.points import layers_by_name


def round_network(model: Any, left: Collection[str]) -> Outcome:
    """Rounds a network to float16, in place; it goes on computing in float32.

    The evidence counts under `float16` the `layers` (those with weights that are not left) and their rounded `arrays`.

    Raises:
        DataError: A number does not fit float16; nothing is changed then.
    """
    slots = tensors(model)
    named = layers_by_name(model).items()
    layers = [layer for name, layer in named if f"{name}.weight" in slots and name not in left]
    own = {id(layer) for layer in layers}
    rounded = {name: _fitting(name, slot.read()) for name, slot in slots.items() if id(slot.layer) in own}
    for name, values in rounded.items():
        slots[name].write(values)
    for layer in layers:
        layer.register_forward_pre_hook(_round_inputs)
        layer.register_forward_post_hook(_round_output)
    return Outcome(model, {"points": 0, "float16": {"layers": len(layers), "arrays": len(rounded)}})


def _fitting(name: str, values: Array) -> Array:
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16).astype(values.dtype)
    if not np.isfinite(rounded).all():
        raise DataError(
            "a number does not fit a 16-bit float",
            where=name,
            value=f"greatest absolute value {float(np.abs(values).max()):g}",
            expected=f"finite numbers up to {np.finfo(np.float16).max:g}",
            remedy="protect the layer, or quantize to integers",
        )
    return rounded


def _rounded(values: Any) -> Any:
    if isinstance(values, paddle.Tensor) and values.dtype == paddle.float32:
        return values.astype(paddle.float16).astype(paddle.float32)
    return values


def _round_inputs(layer: Any, inputs: Any) -> Any:  # noqa: ARG001 - a hook's signature
    return tuple(_rounded(value) for value in inputs)


def _round_output(layer: Any, inputs: Any, output: Any) -> Any:  # noqa: ARG001 - a hook's signature
    return _rounded(output)
