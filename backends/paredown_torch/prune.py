"""Cutting channels out of a network: torch-pruning where it follows the network, our own slicing elsewhere."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from torch import nn
from torch.nn.modules.conv import _ConvNd

from paredown.algorithms.surgery import positions_removed
from paredown.contracts import Axis, IntArray, Outcome, State
from paredown.errors import PlanError, UnsupportedError
from paredown.plan import Cut, PrunePlan
from paredown_torch import model as networks
from paredown_torch.dependency import Dependencies
from paredown_torch.slicing import remove_positions

Positions = dict[Axis, IntArray]
"""For each axis the positions along it that go, ascending."""


def prune(model: nn.Module, plan: PrunePlan) -> Outcome:
    """Cuts a plan's channels out of a network, in place. Core compares every array with the plan afterwards.

    What torch-pruning does not cut is taken out at the end, so that its picture of the network stays true.

    Raises:
        PlanError: The plan does not fit the network, which is then unchanged.
        UnsupportedError: The plan cuts what cannot be cut in this framework; the network is then unchanged.
    """
    state = _shapes(model)
    _require_members(model, state, plan)
    planned = [_removed(cut, state) for cut in plan.cuts]
    trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    dependencies = _trace(model, plan)
    modules = dict(model.named_modules())
    axes = _Axes(state)
    cutters: Counter[str] = Counter()
    left: list[Positions] = []
    for cut, removed in zip(plan.cuts, planned, strict=True):
        group = None if dependencies is None else _same_group(dependencies, modules, cut, axes.present(removed))
        if group is None:
            left.append(removed)
        else:
            group.prune(record_history=False)
            axes.remove(removed)
        cutters["paredown" if group is None else "torch-pruning"] += 1
    remove_positions(model, axes.present(_together(left)))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trainable[name])
    return Outcome(model, {"cut_by": "+".join(sorted(cutters, reverse=True)), "cuts": dict(cutters)})


class _Axes:
    """Which positions of the whole network are left along each axis while cuts are made."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._left: dict[Axis, np.ndarray[Any, np.dtype[np.bool_]]] = {}

    def present(self, positions: Positions) -> Positions:
        """Where positions of the whole network lie now, without those that are gone."""
        found = {}
        for axis, wanted in positions.items():
            left = self._left.get(axis)
            found[axis] = wanted if left is None else (np.cumsum(left) - 1)[wanted[left[wanted]]]
        return found

    def remove(self, positions: Positions) -> None:
        """Notes that positions of the whole network are gone."""
        for axis, gone in positions.items():
            length = self._state[axis[0]].shape[axis[1]]
            self._left.setdefault(axis, np.ones(length, dtype=bool))[gone] = False


def _shapes(model: nn.Module) -> State:
    """Arrays of the network's shapes that hold nothing: a cut asks for shapes alone, and copies would double memory."""
    nothing = np.float32(0)
    return {name: np.broadcast_to(nothing, tuple(tensor.shape)) for name, tensor in networks.tensors(model).items()}


def _require_members(model: nn.Module, state: State, plan: PrunePlan) -> None:
    attention = [name for name, module in model.named_modules() if isinstance(module, nn.MultiheadAttention)]
    for name in (member.parameter for cut in plan.cuts for member in cut.group.members):
        if name not in state:
            near = difflib.get_close_matches(name, state, n=1)
            raise PlanError(
                "the plan names a parameter that the network does not have",
                where=name,
                remedy=f"replay it on the network that it was made for; the nearest name here is {near[0]}"
                if near
                else "replay it on the network that it was made for",
            )
        if any(name.startswith(f"{owner}.") for owner in attention):
            raise UnsupportedError(
                "torch's MultiheadAttention cannot have another width inside than outside",
                where=name,
                remedy="protect this layer",
            )


def _removed(cut: Cut, state: State) -> Positions:
    # Most members hold the channels one by one: they share one array, which keeps a cut fast.
    one_by_one = np.asarray(cut.remove, dtype=np.int64)
    parts: list[Positions] = []
    for member in cut.group.members:
        positions = positions_removed(member, cut, state)
        array = one_by_one if member.channels is None else np.asarray(positions, dtype=np.int64)
        parts.append({(member.parameter, member.axis): array})
    return _together(parts)


def _together(parts: Iterable[Positions]) -> Positions:
    found: dict[Axis, list[IntArray]] = {}
    for part in parts:
        for axis, positions in part.items():
            found.setdefault(axis, []).append(positions)
    return {axis: each[0] if len(each) == 1 else np.unique(np.concatenate(each)) for axis, each in found.items()}


def _trace(model: nn.Module, plan: PrunePlan) -> Dependencies | None:
    try:
        return Dependencies(model, plan.input_shape)
    except UnsupportedError:
        return None  # our own slicing cuts everything, and the evidence says so


def _same_group(
    dependencies: Dependencies, modules: Mapping[str, nn.Module], cut: Cut, present: Positions
) -> Any | None:
    """torch-pruning's group for this cut, if it would cut what the plan says and nothing else."""
    owners = {name: modules[name.rpartition(".")[0]] for name, _ in present}
    if any(_in_blocks(module) for module in owners.values()):
        return None  # it slices the inputs of such convolutions as if the first block stood for all
    root = _root(cut, owners)
    if root is None or not len(present[root]):
        return None
    try:
        group = dependencies.group(owners[root[0]], present[root].tolist())
        found = dependencies.positions(group)
    except UnsupportedError:
        return None
    scored = {(member.parameter, member.axis) for member in cut.group.members if member.role != "buffer"}
    wanted = {axis: positions for axis, positions in present.items() if axis in scored and len(positions)}
    return group if _equal(found, wanted) else None


def _equal(found: Mapping[Axis, list[int]], wanted: Positions) -> bool:
    lists = {id(positions): positions.tolist() for positions in wanted.values()}
    return found.keys() == wanted.keys() and all(found[axis] == lists[id(wanted[axis])] for axis in wanted)


def _root(cut: Cut, owners: Mapping[str, nn.Module]) -> Axis | None:
    """The outputs of a layer that computes the group's channels anew; a depthwise layer only passes them on."""
    for member in cut.group.members:
        module = owners[member.parameter]
        passes_on = isinstance(module, _ConvNd) and module.groups > 1
        if member.role == "output" and isinstance(module, _ConvNd | nn.Linear) and not passes_on:
            return member.parameter, member.axis
    return None


def _in_blocks(module: nn.Module) -> bool:
    return isinstance(module, _ConvNd) and 1 < module.groups < max(module.in_channels, module.out_channels)
