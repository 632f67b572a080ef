"""Measuring weight times gradient, reduced to one number for each position along an axis."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from paredown.contracts import Array, Axis, FloatArray, MeasureRequest
from paredown.errors import ModelError
from paredown_torch.model import device_of, measured_copy
from paredown_torch.outputs import targets


def measure(model: nn.Module, request: MeasureRequest) -> dict[Axis, FloatArray]:
    """Weight times gradient of the loss, summed over the other axes, for each batch: [batches, positions], float64.

    A copy of the network is measured, in evaluation mode and float64; frozen parameters are measured like the others.

    Raises:
        ModelError: An axis is none of a parameter of the network.
    """
    assert request.loss is not None, "core gives the loss that gradients are measured with"
    copied, dtype = measured_copy(model, request.input_shape)
    copied.requires_grad_(True)
    measured = _measured(copied, request)
    rows: dict[Axis, list[torch.Tensor]] = {axis: [] for axis in request.axes}
    with torch.enable_grad():
        for images, labels in request.batches:
            outputs = copied(_tensor(images, dtype, copied))
            loss = request.loss(outputs, None, targets(labels, next(copied.parameters())), {})
            gradients = torch.autograd.grad(loss, list(measured.values()), materialize_grads=True)
            for (name, parameter), gradient in zip(measured.items(), gradients, strict=True):
                product = parameter.detach().double() * gradient.double()
                for key in (key for key in request.axes if key[0] == name):
                    rows[key].append(product.movedim(key[1], 0).reshape(product.shape[key[1]], -1).sum(dim=1))
    return {key: torch.stack(found).cpu().numpy() for key, found in rows.items()}


def _measured(model: nn.Module, request: MeasureRequest) -> dict[str, nn.Parameter]:
    parameters = dict(model.named_parameters())
    for name, axis in request.axes:
        if name not in parameters or not 0 <= axis < parameters[name].ndim:
            raise ModelError(
                "the network has no such axis to measure",
                where=name,
                value=f"axis {axis}",
                expected="a parameter of this network, and one of its axes",
                remedy="ask for axes of the members of this network's groups, without their buffers",
            )
    return {name: parameters[name] for name, _ in request.axes}


def _tensor(array: Array, dtype: torch.dtype, model: nn.Module) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device_of(model), dtype)
