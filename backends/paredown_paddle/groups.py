"""Coupled channels, found by PaddleSlim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.contracts import IntArray, Measurements
from paredown.plan import Group, Member
from paredown_paddle.coupling import Untraceable, coupled_tensors
from paredown_paddle.framework import paddle
from paredown_paddle.index_maps import follow, merge
from paredown_paddle.names import Slot, by_own_name, named_layers, tensors
from paredown_paddle.program import trace

_ROOTS = (paddle.nn.Conv2D, paddle.nn.Linear)
_STATISTICS = (".running_mean", ".running_var")


def measure_groups(model: Any, input_shape: tuple[int, int, int]) -> Measurements:
    """The groups of coupled channels, by the layers whose outputs they are.

    Output layers are not filtered out: core protects them. `left_whole` names the convolutions and Linear layers that
    PaddleSlim could not trace.
    """
    graph = trace(model, input_shape)
    neutral, slots = by_own_name(model), tensors(model)
    groups: list[Group] = []
    left_whole: dict[str, str] = {}
    for name, layer in named_layers(model):
        if not isinstance(layer, _ROOTS) or any(_owns(group, f"{name}.weight") for group in groups):
            continue
        try:
            details = coupled_tensors(graph, layer)
            groups.append(_group(f"{name}.weight", details, neutral, slots))
        except Untraceable as reason:
            left_whole[name] = str(reason)
    return Measurements(groups=tuple(_disjoint(groups, left_whole)), left_whole=left_whole)


def _group(root: str, details: list[Any], neutral: Mapping[str, str], slots: Mapping[str, Slot]) -> Group:
    size = slots[root].shape[0]
    maps: dict[tuple[str, int], IntArray] = {}
    for detail in details:
        name = neutral.get(detail.name)
        if name is None or name.endswith(_STATISTICS):
            continue
        axis = slots[name].axis(detail.axis)
        maps[name, axis] = merge(maps.get((name, axis)), follow(np.arange(size), detail.transform), name)
    if (root, 0) not in maps:
        raise Untraceable("PaddleSlim does not trace its outputs")
    blocks, size = _constraint(maps, slots, size)
    order = {name: index for index, name in enumerate(slots)}
    members = tuple(
        Member(parameter=name, axis=axis, channels=_fitted(maps[name, axis], name, slots[name].shape[axis], size))
        for name, axis in sorted(maps, key=lambda key: (order[key[0]], key[1]))
    )
    return Group(name=root.removesuffix(".weight"), size=size, members=members, blocks=blocks)


def _constraint(maps: Mapping[tuple[str, int], IntArray], slots: Mapping[str, Slot], size: int) -> tuple[int, int]:
    """What grouped convolutions demand: (blocks, size).

    One whose outputs are cut must lose equally many in each of its groups: they are the blocks. One whose inputs are
    cut has a single axis for the inputs of all its groups, so the same inputs go in each: the group's channel i stands
    for the i-th input of every group, and the size is the inputs of one.
    """
    blocks, period = 1, size
    for (name, axis), channels in maps.items():
        slot = slots[name]
        count = int(getattr(slot.layer, "_groups", 1)) if name.endswith(".weight") else 1
        if count == 1 or slot.shape[1] == 1:
            continue
        plain = np.array_equal(channels, np.arange(size))
        if not plain or (axis == 0 and blocks not in (1, count)) or (axis == 1 and period not in (size, slot.shape[1])):
            raise Untraceable(f"{name}, a grouped convolution, sees its channels in another order")
        blocks, period = (count, period) if axis == 0 else (blocks, slot.shape[1])
    if blocks > 1 and period < size:
        raise Untraceable("it lies between two grouped convolutions")
    return blocks, period


def _fitted(channels: IntArray, name: str, length: int, size: int) -> tuple[int, ...] | None:
    """The map of one member onto a group of `size` channels; None for the identity."""
    folded = np.where(channels >= 0, channels % size, -1)
    if len(folded) != length and np.array_equal(folded[:length], np.arange(size)):
        folded = folded[:length]
    if len(folded) != length:
        raise Untraceable(f"its channels meet {name} at {len(folded)} positions of {length}")
    return None if np.array_equal(folded, np.arange(size)) else tuple(int(channel) for channel in folded)


def _owns(group: Group, parameter: str) -> bool:
    outputs = [member for member in group.members if member.axis == 0 and -1 not in (member.channels or ())]
    return any(member.parameter == parameter for member in outputs)


def _disjoint(groups: list[Group], left_whole: dict[str, str]) -> list[Group]:
    """Drops groups that claim one position of one axis twice: PaddleSlim traced one of them in part."""
    claims: dict[tuple[str, int, int], list[int]] = {}
    for index, group in enumerate(groups):
        for member in group.members:
            channels = range(group.size) if member.channels is None else member.channels
            for position, channel in enumerate(channels):
                if channel >= 0:
                    claims.setdefault((member.parameter, member.axis, position), []).append(index)
    wrong = {index for claimed in claims.values() if len(claimed) > 1 for index in claimed}
    for index in sorted(wrong):
        left_whole[groups[index].name] = "PaddleSlim traces its channels into those of another layer, in part"
    return [group for index, group in enumerate(groups) if index not in wrong]
