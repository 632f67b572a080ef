"""Groups of coupled channels, found by torch-pruning."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

from torch import nn
from torch.nn.modules.conv import _ConvNd

from paredown.contracts import Measurements
from paredown.errors import UnsupportedError
from paredown.plan import Group, Member
from paredown_torch.dependency import Coupled, Dependencies

Shapes = Mapping[str, tuple[int, ...]]


def measure(model: nn.Module, input_shape: tuple[int, int, int]) -> Measurements:
    """The groups of coupled channels, and the layers whose channels could not be followed, with the reason.

    A convolution in blocks (1 < groups < channels) can lose an equal number of outputs from each block
    (`Group.blocks`). Its inputs can only lose the same position from each block, because all blocks share one axis of
    the weight: such a group has one channel for each position within a block.
    """
    copied = copy.deepcopy(model)
    roots = [(name, module) for name, module in copied.named_modules() if isinstance(module, _ConvNd | nn.Linear)]
    try:
        dependencies = Dependencies(copied, input_shape)
    except UnsupportedError as error:
        return Measurements(left_whole={name: error.problems[0].what for name, _ in roots})
    shapes = {name: tuple(parameter.shape) for name, parameter in copied.named_parameters()}
    groups: list[Group] = []
    left_whole: dict[str, str] = {}
    taken: set[tuple[str, int, int]] = set()
    for name, module in roots:
        size = _outputs(module)
        if any((f"{name}.weight", 0, position) in taken for position in range(size)):
            continue
        try:
            coupled = dependencies.group(module, list(range(size))).positions
            group = _group(f"{name}.weight", size, coupled, shapes, dict(copied.named_modules()))
        except UnsupportedError as error:
            left_whole[name] = error.problems[0].what
            continue
        positions = set(_positions(coupled))
        if positions & taken:
            left_whole[name] = "its channels are coupled with parts of several groups"
            continue
        taken |= positions
        groups.append(group)
    return Measurements(groups=tuple(groups), left_whole=left_whole)


def _outputs(module: nn.Module) -> int:
    return int(module.out_features if isinstance(module, nn.Linear) else module.out_channels)  # type: ignore[arg-type]  # a convolution, by the caller


def _positions(coupled: Coupled) -> Iterator[tuple[str, int, int]]:
    return ((name, axis, position) for (name, axis), mapped in coupled.items() for position in mapped)


def _group(name: str, size: int, coupled: Coupled, shapes: Shapes, modules: Mapping[str, nn.Module]) -> Group:
    widths, blocks = _block_constraints(coupled, modules)
    if len(widths) + len(blocks) == 0:
        members = tuple(_member(axis, mapped, shapes) for axis, mapped in coupled.items())
        return Group(name=name, size=size, members=members)
    if any(position != channel for mapped in coupled.values() for position, channel in mapped.items()):
        raise UnsupportedError("channels behind a concatenation or a split meet a convolution in blocks")
    if len(blocks) > 1:
        raise UnsupportedError("convolutions in different numbers of blocks share these channels")
    if not widths:
        members = tuple(_member(axis, mapped, shapes) for axis, mapped in coupled.items())
        return Group(name=name, size=size, members=members, blocks=blocks.pop())
    width = widths.pop()
    if widths or any(size // count != width for count in blocks):
        raise UnsupportedError("convolutions in blocks of different widths share these channels")
    folded = {axis: {p: p % width for p in range(shapes[axis[0]][axis[1]])} for axis in coupled}
    return Group(name=name, size=width, members=tuple(_member(axis, m, shapes) for axis, m in folded.items()))


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


def _member(axis: tuple[str, int], mapped: Mapping[int, int], shapes: Shapes) -> Member:
    length = shapes[axis[0]][axis[1]]
    channels = tuple(mapped.get(position, -1) for position in range(length))
    identity = channels == tuple(range(length))
    return Member(parameter=axis[0], axis=axis[1], channels=None if identity else channels)
