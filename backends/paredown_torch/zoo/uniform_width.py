"""Networks of torchvision at another width than 1, where it fixes their channels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from paredown.algorithms.uniform_width import Channels, at_uniform_width, multiplied


def build(whole: Callable[[], nn.Module], width: float) -> nn.Module:
    """A network of convolutions, Linear layers and BatchNorm with every count of channels times its width.

    What torchvision draws for width 1 takes neither time nor memory: it is built without numbers.
    """
    if width == 1:
        return whole()
    with torch.device("meta"):
        model = whole()
    named = dict(model.named_modules())
    layers = {name: layer for name, layer in named.items() if isinstance(layer, nn.Conv2d | nn.Linear)}
    channels = at_uniform_width([_channels(layer) for layer in layers.values()], width)
    for (name, layer), own in zip(layers.items(), channels, strict=True):
        model.set_submodule(name, _of_channels(layer, own))
    for name, norm in named.items():
        if isinstance(norm, nn.BatchNorm2d):
            count = multiplied(norm.num_features, width)
            model.set_submodule(name, nn.BatchNorm2d(count, eps=norm.eps, momentum=norm.momentum))
    return model


def _channels(layer: nn.Conv2d | nn.Linear) -> Channels:
    if isinstance(layer, nn.Linear):
        return Channels(layer.in_features, layer.out_features)
    return Channels(layer.in_channels, layer.out_channels, layer.groups)


def _of_channels(layer: nn.Conv2d | nn.Linear, channels: Channels) -> nn.Module:
    if isinstance(layer, nn.Linear):
        return nn.Linear(channels.inputs, channels.outputs, bias=layer.bias is not None)
    return nn.Conv2d(
        channels.inputs,
        channels.outputs,
        layer.kernel_size,  # type: ignore[arg-type]  # torch types what it keeps more loosely than what it takes
        layer.stride,  # type: ignore[arg-type]  # as above
        layer.padding,  # type: ignore[arg-type]  # as above
        layer.dilation,  # type: ignore[arg-type]  # as above
        channels.groups,
        bias=layer.bias is not None,
    )
