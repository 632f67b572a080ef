"""Folding BatchNorm into the layer before it: one formula for every backend, so that folded weights are equal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paredown.contracts import FloatArray, Fold, LayerInfo


def fold_batch_norm(
    weight: FloatArray,
    bias: FloatArray | None,
    gamma: FloatArray,
    beta: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    eps: float,
) -> tuple[FloatArray, FloatArray]:
    """Folds y = gamma * (conv(x) - mean) / sqrt(variance + eps) + beta into weight and bias (Jacob et al., 2018).

    Args:
        weight: [out, ...] in torch's layout, of a convolution or a Linear layer.
        bias: [out], or None for a layer without one.
        gamma: [out], BatchNorm's weight.
        beta: [out], BatchNorm's bias.
        mean: [out], the running mean.
        variance: [out], the running variance.
        eps: BatchNorm's epsilon.

    Returns:
        Weight and bias as float32. The arithmetic is float64, so that it rounds once, on every machine alike.
    """
    factor = fold_factor(gamma, variance, eps)
    offset = np.zeros_like(factor) if bias is None else bias.astype(np.float64)
    folded_bias = (offset - mean.astype(np.float64)) * factor + beta.astype(np.float64)
    return fold_weight(weight, factor), folded_bias.astype(np.float32)


def fold_weight(weight: FloatArray, factor: FloatArray) -> FloatArray:
    """A weight [out, ...] with its output channels multiplied by `fold_factor`: in float64, rounded once to float32."""
    shaped = factor.reshape((-1,) + (1,) * (weight.ndim - 1))
    with np.errstate(over="ignore"):  # an infinite weight is an error with the layer's name, where it is quantized
        folded: FloatArray = (weight.astype(np.float64) * shaped).astype(np.float32)
    return folded


def fold_factor(gamma: FloatArray, variance: FloatArray, eps: float) -> FloatArray:
    """What each output channel of the weight is multiplied with: gamma / sqrt(variance + eps), [out], float64."""
    factor: FloatArray = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + eps)
    return factor


def find_folds(layers: Sequence[LayerInfo]) -> tuple[Fold, ...]:
    """The BatchNorm layers that can be folded: those fed directly by a convolution or Linear that feeds nothing else.

    A layer that is called more than once is left alone, and so is one whose output another layer reads as well.
    """
    by_name = {layer.name: layer for layer in layers}
    calls = [layer.name for layer in layers]
    readers = [layer.source for layer in layers]
    return tuple(
        Fold(layer.source, layer.name)
        for layer in layers
        if layer.kind == "batch_norm"
        and layer.source is not None
        and by_name[layer.source].kind in ("conv", "linear")
        and not by_name[layer.source].is_output
        and readers.count(layer.source) == 1
        and calls.count(layer.source) == calls.count(layer.name) == 1
    )
