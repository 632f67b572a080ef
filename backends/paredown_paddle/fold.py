"""Folding BatchNorm into the layer before it; the arithmetic is core's."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from paredown.algorithms.fold import fold_batch_norm
from paredown.contracts import Fold
from paredown.errors import PlanError
from paredown_paddle.framework import paddle
from paredown_paddle.names import is_batch_norm, named_layers, tensors
from paredown_paddle.replace import replace_layer


def fold(model: Any, folds: Sequence[Fold]) -> Any:
    """A copy of the network in which each BatchNorm named is gone and the layer before it has a bias.

    Raises:
        PlanError: When a fold names a layer that is not there or is no BatchNorm.
    """
    folded = copy.deepcopy(model)
    layers = dict(named_layers(folded))
    for each in folds:
        _fold_one(folded, layers, each)
    return folded


def _fold_one(model: Any, layers: dict[str, Any], each: Fold) -> None:
    layer, norm = layers.get(each.layer), layers.get(each.batch_norm)
    if layer is None or norm is None or not is_batch_norm(norm):
        raise PlanError(
            "a BatchNorm cannot be folded: the layers are not in the network",
            where=f"{each.layer} <- {each.batch_norm}",
            expected="a convolution or Linear layer, and a BatchNorm fed by it",
            remedy="measure the layers of this very network and fold what they say",
        )
    slots = tensors(model)
    names = [f"{each.batch_norm}.{suffix}" for suffix in ("weight", "bias", "running_mean", "running_var")]
    gamma, beta, mean, variance = (slots[name].read() for name in names)
    weight, own_bias = slots[f"{each.layer}.weight"], slots.get(f"{each.layer}.bias")
    values = weight.read()
    bias = None if own_bias is None else own_bias.read()
    new_weight, new_bias = fold_batch_norm(values, bias, gamma, beta, mean, variance, float(norm._epsilon))
    weight.write(new_weight)
    if own_bias is None:
        layer.bias = layer.create_parameter([len(new_bias)], is_bias=True)
    layer.bias.set_value(new_bias)
    # The legacy BatchNorm of densenet121 has its activation inside.
    activation = getattr(norm, "_act", None)
    replace_layer(model, norm, paddle.nn.ReLU() if activation == "relu" else paddle.nn.Identity())
