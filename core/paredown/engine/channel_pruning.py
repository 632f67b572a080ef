"""Carrying out a channel pruning step: in one shot, or in rounds with recovery after each."""

from __future__ import annotations

from typing import Any

from paredown.algorithms.composition import compose
from paredown.algorithms.groups import GroupSet, after_cuts
from paredown.contracts import Model
from paredown.engine import coupling
from paredown.engine.evidence import change, size
from paredown.engine.pruning import Decision, amount, decide
from paredown.engine.stepping import StepInput, StepOutput
from paredown.engine.training import plan_training, train
from paredown.engine.workbench import Workbench
from paredown.plan import PrunePlan
from paredown.spec.models import Keep, PruneStep

_ROUND_SALT = 1_000
"""Sets the trainings of rounds apart from those of steps: each sees the images in an order of its own."""


def prune_channels(bench: Workbench, step: PruneStep, given: StepInput) -> StepOutput:
    """Decides and cuts; with `rounds`, a part at a time, each on the network that the one before left and recovered.

    Raises:
        UnsupportedError, TargetUnreachable, NoEffectError, SpecError: As `paredown.engine.pruning.decide`.
    """
    groups = _groups(bench, given)
    rounds: list[dict[str, Any]] = []
    place = f"steps[{given.index}]"
    before = {**size(bench, given.model), "validation": bench.metrics(given.model, "validation")}
    if step.rounds == 1:
        decision = decide(bench, step, given.model, bench.state(given.model), groups, place)
        outcome = bench.cut(given.model, decision.plan)
        model, plan, cutters = outcome.model, decision.plan, dict(outcome.evidence)
        total, finest = decision.channels, decision.finest
    else:
        model, plan, rounds, cutters, total, finest = _rounds(bench, step, given, groups, place)
    after = {**size(bench, model), "validation": bench.metrics(model, "validation")}
    removed = sum(len(cut.remove) for cut in plan.cuts)
    evidence = {
        "channels": {"before": total, "after": total - removed},
        "groups": {"cut": len(plan.cuts)},
        "left_whole": plan.left_whole,
        "reached": plan.reached,
        **change(before, after),
        **cutters,
    }
    if finest:
        evidence["finest_cut"] = finest
    if rounds:
        evidence["rounds"] = rounds
    return StepOutput(model, plan, evidence)


def _groups(bench: Workbench, given: StepInput) -> GroupSet:
    if not given.replayable:  # a plugin's step changed shapes in a way that only the network itself tells
        return coupling.of_model(bench, given.model)
    return coupling.find(bench, given.directory, given.baseline, given.plans)


def _rounds(
    bench: Workbench, step: PruneStep, given: StepInput, groups: GroupSet, place: str
) -> tuple[Model, PrunePlan, list[dict[str, Any]], dict[str, Any], int, str | None]:
    """The rounds of an iterative step; their plans composed into one, so that it replays like any other."""
    model, present, rounds = given.model, groups, []
    plans: list[PrunePlan] = []
    decisions: list[Decision] = []
    cutters: dict[str, Any] = {}
    assert step.recover is not None  # the spec's checks see to it
    training = plan_training(step.recover)
    for index in range(step.rounds):
        bench.report("stage", text=f"step {given.index + 1}: round {index + 1} of {step.rounds}")
        kept = compose(groups, plans).reached if plans else {}
        decision = decide(bench, _share(step, index, kept), model, bench.state(model), present, place)
        outcome = bench.cut(model, decision.plan)
        cut = bench.metrics(outcome.model, "validation")
        salt = _ROUND_SALT * (given.index + 1) + index
        model = train(bench, outcome.model, training, salt=salt, masking=given.masking_after(decision.plan)).model
        present = after_cuts(present, decision.plan.cuts)
        plans.append(decision.plan)
        decisions.append(decision)
        cutters = dict(outcome.evidence)
        reached = compose(groups, plans).reached
        validation = {"cut": cut, "recovered": bench.metrics(model, "validation")}
        rounds.append({"reached": reached, "validation": validation})
    plan = compose(groups, plans).model_copy(update={"amount": amount(step)})
    return model, plan, rounds, cutters, decisions[0].channels, decisions[-1].finest


def _share(step: PruneStep, index: int, kept: dict[str, float]) -> PruneStep:
    """The step of one round: what is left to remove of the whole, as a share of what is still there.

    The removed share of the original grows by equal parts from round to round.
    """
    part, done = (index + 1) / step.rounds, index / step.rounds

    def remaining(ratio: float) -> float:
        return ratio * (part - done) / (1 - ratio * done)

    changes: dict[str, Any] = {
        "overrides": tuple(one.model_copy(update={"ratio": remaining(one.ratio)}) for one in step.overrides)
    }
    if step.ratio is not None:
        changes["ratio"] = remaining(step.ratio)
    if step.keep is not None:
        (measure, target), *_ = step.keep.model_dump(exclude_none=True).items()
        changes["keep"] = Keep(**{measure: (1 - (1 - target) * part) / kept.get(measure, 1.0)})
    return step.model_copy(update=changes)
