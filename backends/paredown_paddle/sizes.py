"""What layers say of their own sizes, kept true to their parameters."""

from __future__ import annotations

from typing import Any

from paredown_paddle.framework import paddle
from paredown_paddle.names import is_batch_norm

_CONVOLUTIONS = paddle.nn.layer.conv._ConvNd


def is_depthwise(layer: Any) -> bool:
    """Whether a layer is a convolution each group of which reads one channel."""
    return isinstance(layer, _CONVOLUTIONS) and layer._groups > 1 and layer._in_channels == layer._groups


def outputs_per_input(layer: Any) -> int:
    """How many output channels each group of a convolution has."""
    return int(layer._out_channels) // int(layer._groups)


def update_sizes(layer: Any, multiplier: int | None) -> None:
    """Makes a layer's own account of its sizes agree with its parameters.

    Args:
        layer: Any layer; one that keeps no account is left alone.
        multiplier: For a depthwise convolution, its outputs for each input: its groups follow its outputs. Any other
            convolution keeps its groups.
    """
    if isinstance(layer, _CONVOLUTIONS):
        _update_convolution(layer, multiplier)
    elif is_batch_norm(layer) and hasattr(layer, "_num_features"):
        layer._num_features = int(layer.weight.shape[0])
    elif isinstance(layer, paddle.nn.layer.norm._InstanceNormBase):
        layer._num_features = int(layer.scale.shape[0])
    elif isinstance(layer, paddle.nn.LayerNorm):
        layer._normalized_shape = [int(size) for size in layer.weight.shape]
    elif isinstance(layer, paddle.nn.PReLU):
        layer._num_parameters = int(layer._weight.shape[0])
    elif isinstance(layer, paddle.nn.Linear) and hasattr(layer, "in_features"):
        layer.in_features, layer.out_features = (int(size) for size in layer.weight.shape)


def _update_convolution(layer: Any, multiplier: int | None) -> None:
    first, second = (int(size) for size in layer.weight.shape[:2])
    if "Transpose" in type(layer).__name__:  # its weight is [in, out / groups, ...]
        layer._groups = layer._groups if multiplier is None else first
        layer._in_channels, layer._out_channels = first, second * layer._groups
        return
    layer._groups = layer._groups if multiplier is None else first // multiplier
    layer._in_channels, layer._out_channels = second * layer._groups, first
