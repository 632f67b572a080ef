"""Folding BatchNorm layers into the layers before them, by core's formula."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from paredown.algorithms.fold import fold_batch_norm
from paredown.contracts import FloatArray, Fold
from paredown.errors import ModelError

FOLDABLE = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def fold(model: nn.Module, folds: Sequence[Fold]) -> nn.Module:
    """A copy of the network in which each named BatchNorm is an identity and the layer before it has a bias.

    Raises:
        ModelError: A name is no layer, or not a layer that can be folded.
    """
    folded = copy.deepcopy(model)
    modules = dict(folded.named_modules())
    for pair in folds:
        layer, norm = modules.get(pair.layer), modules.get(pair.batch_norm)
        if not isinstance(layer, FOLDABLE):
            raise _unfoldable(pair.layer, layer, "a convolution or a Linear layer")
        if not isinstance(norm, _BatchNorm) or norm.running_mean is None:
            raise _unfoldable(pair.batch_norm, norm, "a BatchNorm layer with running statistics")
        _fold_pair(layer, norm)
        folded.set_submodule(pair.batch_norm, nn.Identity())
    return folded


def _fold_pair(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear, norm: _BatchNorm) -> None:
    channels = norm.num_features
    weight, bias = fold_batch_norm(
        _array(layer.weight),
        None if layer.bias is None else _array(layer.bias),
        np.ones(channels, np.float32) if norm.weight is None else _array(norm.weight),
        np.zeros(channels, np.float32) if norm.bias is None else _array(norm.bias),
        _array(norm.running_mean),
        _array(norm.running_var),
        norm.eps,
    )
    like = layer.weight
    layer.weight, layer.bias = _parameter(weight, like), _parameter(bias, like)


def _array(tensor: torch.Tensor | None) -> FloatArray:
    assert tensor is not None
    return np.asarray(tensor.detach().cpu().numpy())


def _parameter(array: FloatArray, like: torch.Tensor) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.array(array, dtype=np.float32)).to(like.device), like.requires_grad)


def _unfoldable(name: str, found: nn.Module | None, expected: str) -> ModelError:
    return ModelError(
        "BatchNorm cannot be folded here",
        where=name,
        value="no layer of this name" if found is None else type(found).__name__,
        expected=expected,
    )
