"""Networks of Paddle at another width than 1, where it fixes their channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paredown.algorithms.uniform_width import Channels, at_uniform_width, multiplied
from paredown_paddle.framework import paddle
from paredown_paddle.names import is_batch_norm
from paredown_paddle.replace import replace_layer


def build(whole: Callable[[], Any], width: float) -> Any:
    """A network of convolutions, Linear layers and BatchNorm with every count of channels times its width.

    What Paddle draws for width 1 takes neither time nor memory: it is built without numbers.
    """
    if width == 1:
        return whole()
    with paddle.LazyGuard():
        model = whole()
    sublayers = model.sublayers()
    layers = [layer for layer in sublayers if isinstance(layer, paddle.nn.Conv2D | paddle.nn.Linear)]
    channels = at_uniform_width([_channels(layer) for layer in layers], width)
    for layer, own in zip(layers, channels, strict=True):
        replace_layer(model, layer, _of_channels(layer, own))
    for layer in sublayers:
        if is_batch_norm(layer):
            replace_layer(model, layer, _normalisation(layer, multiplied(int(layer.weight.shape[0]), width)))
    return model


def _channels(layer: Any) -> Channels:
    if isinstance(layer, paddle.nn.Linear):
        return Channels(*map(int, layer.weight.shape))
    return Channels(layer._in_channels, layer._out_channels, layer._groups)


def _of_channels(layer: Any, channels: Channels) -> Any:
    bias = None if layer.bias is not None else False
    if isinstance(layer, paddle.nn.Linear):
        return paddle.nn.Linear(channels.inputs, channels.outputs, bias_attr=bias)
    settings = (layer._kernel_size, layer._stride, layer._padding, layer._dilation, channels.groups)
    return paddle.nn.Conv2D(channels.inputs, channels.outputs, *settings, bias_attr=bias)


def _normalisation(layer: Any, channels: int) -> Any:
    constants = {"momentum": layer._momentum, "epsilon": layer._epsilon}
    if isinstance(layer, paddle.nn.BatchNorm):  # the legacy one, with an activation inside
        return paddle.nn.BatchNorm(channels, act=layer._act, **constants)
    return paddle.nn.BatchNorm2D(channels, **constants)
