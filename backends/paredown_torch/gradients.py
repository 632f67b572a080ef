"""Measuring weight times gradient, reduced to one number for each position along an axis."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from paredown.contracts import Array, Axis, FloatArray, MeasureRequest
from paredown.errors import ModelError
from paredown_torch.model import device_of, evaluation_mode


def measure(model: nn.Module, request: MeasureRequest) -> dict[Axis, FloatArray]:
    """Weight times gradient of the loss, summed over the other axes, for each batch: [batches, positions], float64.

    The network is in evaluation mode, frozen parameters are measured like the others, and all is left as it was.

    Raises:
        ModelError: An axis is none of a parameter of the network.
    """
    assert request.loss is not None, "core gives the loss that gradients are measured with"
    measured = _measured(model, request)
    rows: dict[Axis, list[torch.Tensor]] = {axis: [] for axis in request.axes}
    with evaluation_mode(model), _differentiable(list(measured.values())), torch.enable_grad():
        for images, labels in request.batches:
            loss = request.loss(model(_tensor(images, np.float32, model)), None, _tensor(labels, np.int64, model), {})
            # Not backward(): that would write into the gradients that the caller's parameters hold.
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


def _tensor(array: Array, dtype: type[np.generic], model: nn.Module) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=dtype)).to(device_of(model))


@contextlib.contextmanager
def _differentiable(parameters: list[nn.Parameter]) -> Iterator[None]:
    frozen = [parameter for parameter in parameters if not parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
