"""Our own surgery: taking positions out of parameters and buffers, and telling the layers their new sizes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from paredown.contracts import Axis, IntArray

Kept = dict[int, IntArray]
"""For each axis of an array that is cut, the positions that stay, ascending."""


def remove_positions(model: nn.Module, removed: Mapping[Axis, IntArray]) -> None:
    """Takes positions along axes out of a network's parameters and buffers, in place; each array is cut once."""
    tensors = model.state_dict(keep_vars=True)
    kept: dict[str, Kept] = {}
    for (name, axis), positions in removed.items():
        kept.setdefault(name, {})[axis] = np.delete(np.arange(tensors[name].shape[axis]), positions)
    touched: dict[nn.Module, None] = {}
    for name, axes in kept.items():
        owner_name, _, attribute = name.rpartition(".")
        owner = model.get_submodule(owner_name)
        if isinstance(owner, _ConvNd) and attribute == "weight":
            owner.groups = _groups_left(owner, axes)
        _replace(owner, attribute, axes)
        touched[owner] = None
    for module in touched:
        _update_sizes(module)


def _replace(owner: nn.Module, attribute: str, axes: Kept) -> None:
    held = getattr(owner, attribute)
    cut = held.detach()
    for axis, positions in axes.items():
        cut = cut.index_select(axis, torch.from_numpy(positions).to(held.device))
    setattr(owner, attribute, nn.Parameter(cut, held.requires_grad) if isinstance(held, nn.Parameter) else cut)


def _groups_left(module: _ConvNd, kept: Kept) -> int:
    """How many blocks of a convolution keep a channel; those of a depthwise one are its channels."""
    if 0 not in kept:
        return module.groups
    return len(np.unique(kept[0] // (module.weight.shape[0] // module.groups)))


def _update_sizes(module: nn.Module) -> None:
    if isinstance(module, _ConvNd):
        first, second = module.weight.shape[:2]
        sizes = (first, second * module.groups)
        module.in_channels, module.out_channels = sizes if isinstance(module, _ConvTransposeNd) else sizes[::-1]
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, _NormBase):
        module.num_features = len(module.weight if module.running_mean is None else module.running_mean)
    elif isinstance(module, nn.GroupNorm):
        module.num_channels = len(module.weight)
    elif isinstance(module, nn.LayerNorm):
        module.normalized_shape = tuple(module.weight.shape)
    elif isinstance(module, nn.PReLU):
        module.num_parameters = len(module.weight)
