"""Cutting channels out of a network: torch-pruning where it follows the network, our own slicing elsewhere."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping

from torch import nn
from torch.nn.modules.conv import _ConvNd

from paredown.algorithms.surgery import positions_removed
from paredown.contracts import Outcome, State
from paredown.errors import PlanError, UnsupportedError
from paredown.plan import Cut, PrunePlan
from paredown_torch import model as networks
from paredown_torch.dependency import Axis, CoupledGroup, Dependencies
from paredown_torch.slicing import remove_positions


def prune(model: nn.Module, plan: PrunePlan) -> Outcome:
    """Cuts a plan's channels out of a network, in place. Core compares every array with the plan afterwards.

    Raises:
        PlanError: The plan does not fit the network, which is then unchanged.
    """
    before = networks.save(model)
    _require_members(before, plan)
    trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    dependencies = _trace(model, plan)
    gone: dict[Axis, set[int]] = {}
    cutters: Counter[str] = Counter()
    for cut in plan.cuts:
        removed = _removed(cut, before)
        present = {axis: _shifted(positions, gone.get(axis, set())) for axis, positions in removed.items()}
        found = None if dependencies is None else _same_group(dependencies, model, cut, present)
        if found is None:
            remove_positions(model, present)
        else:
            found.found.prune(record_history=False)
        cutters["paredown" if found is None else "torch-pruning"] += 1
        for axis, positions in removed.items():
            gone.setdefault(axis, set()).update(positions)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trainable[name])
    evidence = {"cut_by": "+".join(sorted(cutters, reverse=True)), "cuts": dict(cutters)}
    return Outcome(model, evidence)


def _require_members(state: State, plan: PrunePlan) -> None:
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


def _removed(cut: Cut, state: State) -> dict[Axis, set[int]]:
    removed: dict[Axis, set[int]] = {}
    for member in cut.group.members:
        axis = (member.parameter, member.axis)
        removed.setdefault(axis, set()).update(positions_removed(member, cut, state))
    return removed


def _shifted(positions: set[int], gone: set[int]) -> set[int]:
    """Where positions of the whole network lie once the earlier cuts of the plan are made."""
    return {position - sum(earlier < position for earlier in gone) for position in positions - gone}


def _trace(model: nn.Module, plan: PrunePlan) -> Dependencies | None:
    try:
        return Dependencies(model, plan.input_shape)
    except UnsupportedError:
        return None  # our own slicing cuts everything, and the evidence says so


def _same_group(
    dependencies: Dependencies, model: nn.Module, cut: Cut, present: Mapping[Axis, set[int]]
) -> CoupledGroup | None:
    """torch-pruning's group for this cut, if it would cut what the plan says and nothing else."""
    modules = {name: model.get_submodule(name.rpartition(".")[0]) for name, _ in present}
    if any(_in_blocks(module) for module in modules.values()):
        return None  # it slices the inputs of such convolutions as if the first block stood for all
    root = next(
        (m for m in cut.group.members if m.axis == 0 and isinstance(modules[m.parameter], _ConvNd | nn.Linear)), None
    )
    if root is None or not root.parameter.endswith(".weight"):
        return None
    try:
        found = dependencies.group(modules[root.parameter], sorted(present[root.parameter, 0]))
    except UnsupportedError:
        return None
    scored = {(m.parameter, m.axis) for m in cut.group.members if m.role == "parameter"}
    wanted = {axis: set(positions) for axis, positions in present.items() if axis in scored and positions}
    return found if {axis: set(mapped) for axis, mapped in found.positions.items()} == wanted else None


def _in_blocks(module: nn.Module) -> bool:
    return isinstance(module, _ConvNd) and 1 < module.groups < max(module.in_channels, module.out_channels)
