"""torch-pruning's groups in paredown's normal form: the cross-check of the groups that core finds."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from paredown.errors import UnsupportedError
from paredown.plan import Group, Member, MemberRole
from paredown_torch.dependency import Dependencies
from paredown_torch.model import save

Coupled = dict[tuple[str, int], dict[int, int]]
"""For each axis of a group: position along the axis to the group's channel."""


def reference_groups(model: nn.Module, input_shape: tuple[int, int, int]) -> tuple[Group, ...]:
    """The groups as torch-pruning finds them, but for those of the network's last layer.

    A convolution in blocks (1 < groups < channels) can lose an equal number of outputs from each block; of its inputs
    it can lose the same position from each block. What fits neither form is left out.

    Raises:
        UnsupportedError: torch-pruning cannot trace the network.
    """
    copied = copy.deepcopy(model)
    dependencies = Dependencies(copied, input_shape)
    modules = dict(copied.named_modules())
    order = {name: position for position, name in enumerate(save(copied))}
    roots = [name for name, module in modules.items() if isinstance(module, _ConvNd | nn.Linear)]
    groups: dict[str, Group] = {}
    taken: set[tuple[str, int, int]] = set()
    for name in roots:
        size = _outputs(modules[name])
        axis = 1 if isinstance(modules[name], _ConvTransposeNd) else 0
        if any((f"{name}.weight", axis, position) in taken for position in range(size)):
            continue
        try:
            coupled = _coupled(dependencies, modules[name], size)
            group = _group(size, coupled, copied, modules)
        except UnsupportedError:
            continue
        positions = {(*at, position) for at, mapped in coupled.items() for position in mapped}
        outputs = sorted((m for m in group.members if m.role == "output"), key=lambda m: order[m.parameter])
        if positions & taken or any(m.parameter == f"{roots[-1]}.weight" for m in outputs):
            continue
        taken |= positions
        members = tuple(sorted(group.members, key=lambda m: (order[m.parameter], m.axis)))
        groups[outputs[0].parameter] = Group(
            name=outputs[0].parameter, size=group.size, members=members, blocks=group.blocks
        )
    return tuple(groups[name] for name in sorted(groups, key=order.__getitem__))


def _outputs(module: nn.Module) -> int:
    return module.out_features if isinstance(module, nn.Linear) else module.out_channels


def _coupled(dependencies: Dependencies, module: nn.Module, size: int) -> Coupled:
    coupled: Coupled = {}
    for item in dependencies.group(module, list(range(size))):
        for axis in dependencies.axes(item.dep):
            coupled.setdefault(axis, {}).update(zip(item.idxs, item.root_idxs, strict=True))
    return coupled


def _group(size: int, coupled: Coupled, model: nn.Module, modules: Mapping[str, nn.Module]) -> Group:
    widths, blocks = _block_constraints(coupled, modules)
    if len(widths) + len(blocks) > 0 and any(
        p != channel for mapped in coupled.values() for p, channel in mapped.items()
    ):
        raise UnsupportedError("channels behind a concatenation or a split meet a convolution in blocks")
    if len(blocks) > 1:
        raise UnsupportedError("convolutions in different numbers of blocks share these channels")
    count = blocks.pop() if blocks else 1
    if widths:
        width = widths.pop()
        if widths or (count > 1 and size // count != width):
            raise UnsupportedError("convolutions in blocks of different widths share these channels")
        lengths = {axis: model.get_parameter(axis[0]).shape[axis[1]] for axis in coupled}
        coupled = {axis: {p: p % width for p in range(lengths[axis])} for axis in coupled}
        size, count = width, 1
    members = tuple(member for axis, mapped in coupled.items() for member in _members(axis, mapped, model, modules))
    return Group(name="", size=size, members=members, blocks=count)


def _block_constraints(coupled: Coupled, modules: Mapping[str, nn.Module]) -> tuple[set[int], set[int]]:
    """The widths of blocks whose inputs are in the group, and the numbers of blocks whose outputs are."""
    widths: set[int] = set()
    blocks: set[int] = set()
    for name, axis in coupled:
        module = modules[name.rpartition(".")[0]]
        if not isinstance(module, _ConvNd) or module.groups == 1 or name.endswith(".bias"):
            continue
        if module.groups == module.out_channels:
            if module.in_channels != module.out_channels:
                raise UnsupportedError("a convolution with one output for several inputs of a block is left as it is")
        elif axis == 0:
            blocks.add(module.groups)
        else:
            widths.add(module.in_channels // module.groups)
    return widths, blocks


def _members(
    axis: tuple[str, int], mapped: Mapping[int, int], model: nn.Module, modules: Mapping[str, nn.Module]
) -> Iterator[Member]:
    owner, _, attribute = axis[0].rpartition(".")
    length = model.get_parameter(axis[0]).shape[axis[1]]
    channels: tuple[int, ...] | None = tuple(mapped.get(position, -1) for position in range(length))
    if channels == tuple(range(length)):
        channels = None
    module = modules[owner]
    yield Member(parameter=axis[0], axis=axis[1], channels=channels, role=_role(module, attribute, axis[1]))
    if isinstance(module, _NormBase) and attribute == "weight" and module.running_mean is not None:
        for buffer in ("running_mean", "running_var"):
            yield Member(parameter=f"{owner}.{buffer}", axis=0, channels=channels, role="buffer")


def _role(module: nn.Module, attribute: str, axis: int) -> MemberRole:
    if isinstance(module, _ConvNd | nn.Linear):
        if attribute == "bias":
            return "bias"
        if isinstance(module, _ConvTransposeNd):
            return "output" if axis == 1 else "input"
        return "output" if axis == 0 else "input"
    if isinstance(module, _NormBase | nn.LayerNorm | nn.GroupNorm):
        return "scale" if attribute == "weight" else "shift"
    return "other"
