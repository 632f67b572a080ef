"""How much the metric depends on each group of channels: every group is pruned alone, at several ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.groups import GroupSet
from paredown.algorithms.removal import removal_order
from paredown.contracts import FloatArray, Model, State
from paredown.engine import scoring
from paredown.engine.known_points import KnownPoints
from paredown.engine.workbench import Workbench
from paredown.plan import Cut, Group
from paredown.results import SensitivityCurve, SensitivityPoint
from paredown.spec.models import PruneStep, SensitivityAllocation

DEFAULT_RATIOS = SensitivityAllocation().ratios


@dataclass(frozen=True, slots=True)
class Measured:
    """The metric of the whole network, the curves, and how many points were measured or known already."""

    baseline: float
    curves: tuple[SensitivityCurve, ...]
    measured: int
    reused: int


def curves(
    bench: Workbench,
    model: Model,
    state: State,
    groups: GroupSet,
    step: PruneStep,
    scores: Mapping[str, FloatArray | None] | None = None,
) -> Mapping[str, tuple[tuple[float, float], ...]]:
    """What the metric on validation loses when each group is pruned alone (Li et al., 2017, section 3.2).

    Args:
        bench: The run.
        model: The network as it is; it is not changed.
        state: Its arrays.
        groups: The groups to measure.
        step: Its criterion says which channels go first; its allocation names the ratios.
        scores: The importance of each group's channels, where it is known already.

    Returns:
        For each group that the criterion can score, (share of its channels removed, metric lost), the shares that were
        really removed, ascending; a gain is negative.
    """
    ratios = step.allocation.ratios if isinstance(step.allocation, SensitivityAllocation) else DEFAULT_RATIOS
    known = scoring.scores(bench, step, model, state, groups) if scores is None else scores
    found = measure(bench, model, state, groups, known, ratios)
    return {
        curve.group: tuple({point.removed / curve.channels: point.drop for point in curve.points}.items())
        for curve in found.curves
    }


def measure(
    bench: Workbench,
    model: Model,
    state: State,
    groups: GroupSet,
    scores: Mapping[str, FloatArray | None],
    ratios: Sequence[float],
    *,
    fresh: bool = False,
) -> Measured:
    """Measures every group alone at every ratio; what an earlier or interrupted run measured is taken from the cache.

    Args:
        bench: The run.
        model: The network; it is not changed.
        state: Its arrays.
        groups: The groups to measure.
        scores: The importance of each group's channels, [size], by the group's name; None leaves a group out.
        ratios: The shares of a group's channels that go, the least important first.
        fresh: Measures all anew.
    """
    baseline = bench.metrics(model, "validation")[bench.task.primary]
    known = KnownPoints.of(bench, model, state, baseline, fresh=fresh)
    copy = bench.manager.fold(bench.backend, model, ())
    scored = [(group, values) for group in groups.groups if (values := scores[group.name]) is not None]
    found, measured, reused = [], 0, 0
    for index, (group, values) in enumerate(scored):
        bench.report("stage", text=f"sensitivity: group {index + 1} of {len(scored)}, {group.name}")
        points = []
        for ratio in sorted(ratios):
            cut = least_important(group, values, ratio)
            metric = known.get(cut)
            reused += metric is not None
            if metric is None:
                metric = _without(bench, copy, state, cut)
                known.put(cut, metric)
                measured += 1
            points.append(SensitivityPoint(ratio=ratio, removed=len(cut.remove), metric=metric, drop=baseline - metric))
        layers = layers_of(group)
        found.append(SensitivityCurve(group=group.name, layers=layers, channels=group.size, points=tuple(points)))
    return Measured(baseline, tuple(found), measured, reused)


def _without(bench: Workbench, copy: Model, state: State, cut: Cut) -> float:
    """The metric of the network without these channels.

    They are zeroed, not cut. A zeroed channel adds nothing to whatever reads it, so the outputs are those of cutting,
    and no surgery is needed; only a LayerNorm over channels still counts the zeros. Buffers stay: what a BatchNorm
    makes of a zeroed channel is zero by its scale and shift, and of no matter to readers whose slices are zero.
    """
    model = bench.manager.restore(bench.backend, copy, zeroed(state, cut))
    return bench.metrics(model, "validation")[bench.task.primary]


def least_important(group: Group, scores: FloatArray, ratio: float) -> Cut:
    """The cut that a pruning step with `scope: local` would make of this group; at least the smallest there is.

    A group that can lose nothing gives a cut that removes nothing.
    """
    order = removal_order(group, scores)
    return Cut(group=group, remove=order.removed(max(order.step_for(ratio), min(order.last, 1))))


def zeroed(state: State, cut: Cut) -> State:
    """The arrays with the removed channels' slices of every parameter set to zero; buffers stay."""
    changed = dict(state)
    for member in cut.group.members:
        if member.role == "buffer":
            continue
        values = changed[member.parameter].copy()
        owners = np.arange(values.shape[member.axis]) if member.channels is None else np.asarray(member.channels)
        np.moveaxis(values, member.axis, 0)[np.isin(owners, cut.remove)] = 0
        changed[member.parameter] = values
    return changed


def layers_of(group: Group) -> tuple[str, ...]:
    """The layers whose outputs are the group's channels, in the order of its members."""
    outputs = (member.parameter.rpartition(".")[0] for member in group.members if member.role == "output")
    return tuple(dict.fromkeys(outputs))
