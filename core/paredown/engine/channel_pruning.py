"""Carrying out a channel pruning step: in one shot, or in rounds with recovery after each."""

from __future__ import annotations

from typing import Any

from paredown.algorithms.groups import GroupSet
from paredown.engine import coupling
from paredown.engine.evidence import change, size
from paredown.engine.pruning import decide
from paredown.engine.rounds import prune_in_rounds
from paredown.engine.stepping import StepInput, StepOutput
from paredown.engine.workbench import Workbench
from paredown.spec.models import PruneStep


def prune_channels(bench: Workbench, step: PruneStep, given: StepInput) -> StepOutput:
    """Decides and cuts; with `rounds`, a part at a time, each on the network that the one before left and recovered.

    Raises:
        UnsupportedError, TargetUnreachable, NoEffectError, SpecError: As `paredown.engine.pruning.decide`.
    """
    groups = _groups(bench, given)
    place = f"steps[{given.index}]"
    before = {**size(bench, given.model), "validation": bench.metrics(given.model, "validation")}
    decision = decide(bench, step, given.model, bench.state(given.model), groups, place)
    rounds: list[dict[str, Any]] = []
    if step.rounds == 1:
        outcome = bench.cut(given.model, decision.plan)
        model, plan, cutters = outcome.model, decision.plan, dict(outcome.evidence)
    else:
        done = prune_in_rounds(bench, step, given, groups, decision, place)
        model, plan, cutters, rounds = done.model, done.plan, done.cutters, done.rounds
    after = {**size(bench, model), "validation": bench.metrics(model, "validation")}
    removed = sum(len(cut.remove) for cut in plan.cuts)
    evidence = {
        "channels": {"before": decision.channels, "after": decision.channels - removed},
        "groups": {"cut": len(plan.cuts)},
        "left_whole": plan.left_whole,
        "reached": plan.reached,
        **change(before, after),
        **cutters,
    }
    if decision.finest:
        evidence["finest_cut"] = decision.finest
    if rounds:
        evidence["rounds"] = rounds
    return StepOutput(model, plan, evidence)


def _groups(bench: Workbench, given: StepInput) -> GroupSet:
    if not given.replayable:  # a plugin's step changed shapes in a way that only the network itself tells
        return coupling.of_model(bench, given.model)
    return coupling.find(bench, given.directory, given.baseline, given.plans, given.root)
