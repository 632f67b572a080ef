"""paredown's own pruning, through the engine that runs a spec."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from bench import Bench
from settings import Cell, spec

from paredown.algorithms.groups import GroupSet
from paredown.contracts import Model
from paredown.engine import coupling
from paredown.engine.pruning import decide
from paredown.spec.loader import load_spec
from paredown.spec.models import PruneStep


class Ours:
    """Prunes by a step of a spec; the groups of a network are found once."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    @cached_property
    def _groups(self) -> GroupSet:
        workbench = self._bench.workbench
        return coupling.find(workbench, None, workbench.state(self._bench.baseline()))

    def prune(self, cell: Cell) -> tuple[Model, dict[str, Any]]:
        """The baseline, cut as a spec with this cell's step would cut it."""
        workbench, model = self._bench.workbench, self._bench.baseline()
        step = load_spec(spec(cell.network, [_step(cell)]), self._bench.manager.registry).steps[0]
        assert isinstance(step, PruneStep)
        plan = decide(workbench, step, model, workbench.state(model), self._groups).plan
        return workbench.cut(model, plan).model, {"reached": plan.reached, "groups_cut": len(plan.cuts)}


def _step(cell: Cell) -> dict[str, Any]:
    criterion, _, allocation = cell.method.partition("+")
    return {
        "kind": "prune",
        "criterion": {"kind": criterion},
        "scope": cell.scope,
        "keep": {"macs": cell.target},
        **({"allocation": {"kind": allocation}} if allocation else {}),
    }
