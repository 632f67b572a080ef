"""Means over axes, for PaddleSlim's search, which by itself stops at them and reports only the channels before."""

from __future__ import annotations

import functools
from typing import Any

from paredown_paddle.framework import import_paddleslim


@functools.cache
def teach_reductions() -> None:
    """Registers a worker for `reduce_mean` with PaddleSlim; once, and on first use: importing it takes seconds."""
    import_paddleslim()
    from paddleslim.prune.prune_worker import PRUNE_WORKER, PruneWorker, UnsupportOpError

    class ReduceMean(PruneWorker):
        """Leads the channels' axis past the axes that are averaged away; a mean over the channels ends the search."""

        def _prune(self, var: Any, pruned_axis: int, transforms: list[dict[str, Any]]) -> None:
            before, after = self.op.inputs("X")[0], self.op.outputs("Out")[0]
            kept = _kept_axes(self.op, len(before.shape()))
            found = kept.get(pruned_axis) if var == before else _key_of(kept, pruned_axis)
            if found is None:
                raise UnsupportOpError("a mean over the channels")
            self._visit_and_search(after if var == before else before, found, transforms)

    ReduceMean.__name__ = "reduce_mean"  # PaddleSlim looks workers up by the operator's name
    PRUNE_WORKER.register(ReduceMean)


def _kept_axes(operator: Any, rank: int) -> dict[int, int]:
    """The axes that are not averaged: where they stand before, and where after."""
    given = operator.attr("dim") or []
    gone = set(range(rank)) if operator.attr("reduce_all") or not given else {axis % rank for axis in given}
    kept = [axis for axis in range(rank) if axis not in gone]
    return {axis: axis if operator.attr("keep_dim") else place for place, axis in enumerate(kept)}


def _key_of(kept: dict[int, int], value: int) -> int | None:
    return next((key for key, found in kept.items() if found == value), None)
