"""Measuring weight times gradient, reduced on the device to one number a position of an axis."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.contracts import Axis, FloatArray, MeasureRequest
from paredown.errors import ModelError, PlanError
from paredown_paddle.framework import paddle
from paredown_paddle.modes import measured_copy
from paredown_paddle.names import Slot, is_batch_norm, tensors
from paredown_paddle.outputs import targets


def measure_gradients(model: Any, request: MeasureRequest) -> dict[Axis, FloatArray]:
    """Weight times gradient of the loss, summed over all other axes: for each axis [batches, positions], float64.

    A copy of the network is measured, in evaluation mode and float64; parameters that do not learn are measured like
    the others.

    Raises:
        PlanError: When an axis is one that the network does not have, or of statistics, which have no gradient.
        ModelError: When there is no loss to take the gradient of.
    """
    loss = request.loss
    if loss is None:
        raise ModelError("gradients need a loss", where="measure gradients", remedy="give `loss` with the request")
    copied, dtype = measured_copy(model, request.input_shape)
    slots = {name: slot for name, slot in tensors(copied).items() if _is_parameter(slot)}
    for name, axis in request.axes:
        _check(name, axis, slots)
    layers = {id(slots[name].layer) for name, _ in request.axes}
    # Whole layers: Paddle gives a BatchNorm's scale no gradient where its shift has none, and the reverse.
    asked = {name: slot for name, slot in slots.items() if id(slot.layer) in layers}
    found: dict[Axis, list[FloatArray]] = {axis: [] for axis in request.axes}
    for slot in asked.values():
        slot.tensor.stop_gradient = False
    for images, labels in request.batches:
        outputs = copied(paddle.to_tensor(np.ascontiguousarray(images), dtype=dtype))
        value = loss(outputs, None, targets(labels, dtype), {})
        products = _products(value, asked)
        for name, axis in request.axes:
            found[name, axis].append(_reduced(products[name], slots[name].axis(axis)))
    return {axis: np.stack(rows) if rows else _nothing(slots, axis) for axis, rows in found.items()}


def _products(loss: Any, asked: Mapping[str, Slot]) -> dict[str, Any]:
    """Weight times gradient of each parameter, float64; zero where the loss does not depend on it."""
    parameters = [slot.tensor for slot in asked.values()]
    gradients = paddle.grad(loss, parameters, allow_unused=True)
    with paddle.no_grad():
        return {
            name: _product(parameter, gradient)
            for name, parameter, gradient in zip(asked, parameters, gradients, strict=True)
        }


def _product(parameter: Any, gradient: Any) -> Any:
    values = parameter.astype("float64")
    return paddle.zeros_like(values) if gradient is None else values * gradient.astype("float64")


def _reduced(product: Any, axis: int) -> FloatArray:
    others = [other for other in range(product.ndim) if other != axis]
    result: FloatArray = (product.sum(others) if others else product).numpy()
    return result


def _nothing(slots: Mapping[str, Slot], axis: Axis) -> FloatArray:
    name, position = axis
    return np.zeros((0, slots[name].shape[position]))


def _is_parameter(slot: Slot) -> bool:
    """Paddle keeps BatchNorm's statistics among the parameters, and its gradients are wrong where they learn."""
    is_statistic = is_batch_norm(slot.layer) and slot.attribute not in ("weight", "bias")
    return slot.attribute in slot.layer._parameters and not is_statistic


def _check(name: str, axis: int, slots: Mapping[str, Slot]) -> None:
    if name in slots and 0 <= axis < len(slots[name].shape):
        return
    near = difflib.get_close_matches(name, list(slots), n=1)
    raise PlanError(
        "gradients are asked for an axis that no parameter of the network has",
        where=f"{name}, axis {axis}",
        expected=f"a parameter of this network, such as {near[0]}" if near else "a parameter of this network",
        remedy="ask for axes of the members of this network's groups, without their buffers",
    )
