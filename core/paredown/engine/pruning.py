"""Deciding a pruning step: groups and weights as the backend measured them, scores and choice from core."""

from __future__ import annotations

from paredown.algorithms import groups, importance, selection
from paredown.contracts import MeasureRequest, Model, State
from paredown.engine.workbench import Workbench
from paredown.errors import NoEffectError, UnsupportedError
from paredown.plan import PrunePlan
from paredown.spec.models import PruneStep


def decide_pruning(bench: Workbench, step: PruneStep, model: Model, state: State) -> tuple[PrunePlan, int]:
    """The plan of a pruning step, and how many channels could have been cut.

    Raises:
        UnsupportedError: When no channel of the network can be cut.
        NoEffectError: When the ratio is too small to remove one.
    """
    measured = bench.manager.measure(bench.backend, model, MeasureRequest("groups", bench.input_shape))
    found = groups.normalise(measured.groups, state, bench.layers(model), measured.left_whole)
    if not found.groups:
        raise UnsupportedError(
            f"`{bench.backend}` finds no channel of this network that can be cut",
            where=f"model {bench.source.name}",
            value="; ".join(f"{layer}: {reason}" for layer, reason in list(found.left_whole.items())[:3])
            or "no groups found",
            remedy="leave the pruning step out, or choose another network",
        )
    criterion = bench.manager.registry.implementation("criterion", step.criterion.kind)
    scores = [importance.score(group, state, criterion, step.criterion) for group in found.groups]
    cuts = selection.select(found.groups, scores, step.ratio, step.scope)
    total = sum(group.size for group in found.groups)
    if not cuts:
        raise NoEffectError(
            "pruning removed nothing",
            where="ratio",
            value=str(step.ratio),
            expected=f"a share that removes at least one of {total} channels"
            + (" in some layer" if step.scope == "local" else ""),
            remedy="raise `ratio`, or leave the step out",
        )
    plan = PrunePlan(
        input_shape=bench.input_shape,
        criterion=step.criterion.model_dump(mode="json"),
        scope=step.scope,
        ratio=step.ratio,
        cuts=cuts,
        left_whole=dict(found.left_whole),
    )
    return plan, total
