"""Measuring how active the input channels of layers are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from paredown.contracts import Activity, MeasureRequest
from paredown.errors import ModelError
from paredown_torch.model import device_of, measured_copy


@dataclass(slots=True)
class _Sums:
    """Running sums over images and positions, float64, [channels], and how many values each channel gave."""

    absolute: torch.Tensor | None = None
    zeros: torch.Tensor | None = None
    count: int = 0

    def add(self, values: torch.Tensor, axis: int) -> None:
        """Takes the input of one call; `axis` is that of the channels."""
        by_channel = values.detach().movedim(axis, 0).flatten(1)
        absolute = by_channel.double().abs().sum(dim=1)
        zeros = (by_channel == 0).sum(dim=1).double()
        self.absolute = absolute if self.absolute is None else self.absolute + absolute
        self.zeros = zeros if self.zeros is None else self.zeros + zeros
        self.count += by_channel.shape[1]


def measure(model: nn.Module, request: MeasureRequest) -> dict[str, Activity]:
    """Mean absolute value and share of zeros of each input channel of the named layers.

    A copy of the network is measured, in evaluation mode and float64. The channels of a convolution lie on axis 1,
    those of any other layer on the last axis. Nothing is kept but sums.

    Raises:
        ModelError: A name is no layer, or no image reached a layer.
    """
    copied, dtype = measured_copy(model, request.input_shape)
    modules = dict(copied.named_modules())
    sums = {name: _Sums() for name in request.layer_names}
    for name in sums:
        if name not in modules:
            raise ModelError(
                "the network has no layer of this name to measure",
                where=name,
                expected="a layer of this network",
                remedy="name layers as `measure` tells them",
            )
    for name, found in sums.items():
        _watch(modules[name], found)
    with torch.no_grad():
        for images, _ in request.batches:
            copied(torch.from_numpy(np.ascontiguousarray(images)).to(device_of(copied), dtype))
    return {name: _activity(name, found) for name, found in sums.items()}


def _watch(module: nn.Module, sums: _Sums) -> None:
    axis = 1 if isinstance(module, _ConvNd) else -1

    def before(_: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        sums.add(args[0], axis)

    module.register_forward_pre_hook(before)


def _activity(name: str, sums: _Sums) -> Activity:
    if sums.absolute is None or sums.zeros is None:
        raise ModelError(
            "no image reached this layer",
            where=name,
            expected="a layer that the network calls, and at least one batch of images",
            remedy="leave the layer out of the request, or give it images",
        )
    return Activity(
        mean_absolute=(sums.absolute / sums.count).cpu().numpy(), zeros=(sums.zeros / sums.count).cpu().numpy()
    )
