"""Parameters and multiply-accumulates, counted from shapes alone, the same way for every backend."""

from __future__ import annotations

import math
from collections.abc import Sequence

from paredown.contracts import LayerInfo, State


def count_parameters(state: State) -> int:
    """Trainable numbers: all arrays but BatchNorm's running statistics."""
    return sum(
        int(values.size) for name, values in state.items() if not name.endswith((".running_mean", ".running_var"))
    )


def count_macs(layers: Sequence[LayerInfo]) -> int:
    """Multiply-accumulates of convolutions and Linear layers for one image.

    A convolution does prod(weight_shape) of them at each output position, a Linear layer prod(weight_shape) for each
    vector. BatchNorm folds away; activations and pooling are not counted.
    """
    return sum(_layer_macs(layer) for layer in layers if layer.kind in ("conv", "linear"))


def layer_positions(layer: LayerInfo) -> int:
    """How often one image uses each weight of a convolution or Linear layer: its output positions or vectors."""
    return math.prod(layer.output_shape[1:] if layer.kind == "conv" else layer.output_shape[:-1])


def _layer_macs(layer: LayerInfo) -> int:
    return math.prod(layer.weight_shape) * layer_positions(layer)
