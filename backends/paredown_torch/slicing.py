"""Our own surgery: taking positions out of parameters and buffers, and telling the layers their new sizes."""

from __future__ import annotations

from collections.abc import Mapping, Set

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from paredown_torch.dependency import Axis


def remove_positions(model: nn.Module, removed: Mapping[Axis, Set[int]]) -> None:
    """Takes positions along axes out of a network's parameters and buffers, in place."""
    touched = set()
    for (name, axis), positions in removed.items():
        owner_name, _, attribute = name.rpartition(".")
        owner = model.get_submodule(owner_name)
        held = getattr(owner, attribute)
        kept = [position for position in range(held.shape[axis]) if position not in positions]
        cut = held.detach().index_select(axis, torch.tensor(kept, dtype=torch.long, device=held.device))
        setattr(owner, attribute, nn.Parameter(cut, held.requires_grad) if isinstance(held, nn.Parameter) else cut)
        touched.add(owner)
    for module in touched:
        _update_sizes(module)


def _update_sizes(module: nn.Module) -> None:
    if isinstance(module, _ConvNd):
        _update_convolution(module)
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, _NormBase):
        kept = module.weight if module.running_mean is None else module.running_mean
        module.num_features = len(kept)
    elif isinstance(module, nn.LayerNorm):
        module.normalized_shape = tuple(module.weight.shape)
    elif isinstance(module, nn.PReLU):
        module.num_parameters = len(module.weight)


def _update_convolution(module: _ConvNd) -> None:
    first, second = module.weight.shape[:2]
    if isinstance(module, _ConvTransposeNd):
        module.in_channels, module.out_channels = first, second * module.groups
    elif module.groups == module.in_channels == module.out_channels > 1:
        module.groups = module.in_channels = module.out_channels = first
    else:
        module.out_channels, module.in_channels = first, second * module.groups
