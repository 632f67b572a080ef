"""The steps: measure in the framework, decide in core, act in the framework, and say what changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from paredown.algorithms import counting
from paredown.contracts import Model, State
from paredown.engine import exporting
from paredown.engine.pruning import decide_pruning
from paredown.engine.training import LABELS_ONLY, plan_training, planned_losses, train
from paredown.engine.workbench import Workbench
from paredown.errors import NoEffectError
from paredown.plan import Plan
from paredown.spec.base import Frozen
from paredown.spec.models import DistillStep, FinetuneStep, PruneStep, QuantizeStep


@dataclass(frozen=True, slots=True)
class StepInput:
    """What a step works on: the network, the baseline's arrays, its place among the steps, and where files go."""

    model: Model
    baseline: State
    index: int
    directory: Path


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What a step gave: the network, the plan that it followed, and plain facts about what changed.

    `replayable` says that base model, plans and weights rebuild the network; a plugin's step that changes shapes
    without a plan leaves one that they do not.
    """

    model: Model
    plan: Plan | None
    evidence: dict[str, Any] = field(default_factory=dict)
    replayable: bool = True


def perform(bench: Workbench, step: Frozen, given: StepInput) -> StepOutput:
    """Runs one step of any kind.

    Raises:
        NoEffectError: When the step changed nothing.
    """
    for kind, function in _OWN.items():
        if isinstance(step, kind):
            return function(bench, step, given)
    return _apply(bench, step, given)


def _prune(bench: Workbench, step: PruneStep, given: StepInput) -> StepOutput:
    before = bench.state(given.model)
    plan, total = decide_pruning(bench, step, given.model, before)
    facts_before = {**_size(bench, given.model), "validation": bench.metrics(given.model, "validation")}
    outcome = bench.cut(given.model, plan)
    evidence = {
        "channels": {"before": total, "after": total - sum(len(cut.remove) for cut in plan.cuts)},
        "groups": {"cut": len(plan.cuts)},
        "left_whole": plan.left_whole,
        **_change(
            facts_before, {**_size(bench, outcome.model), "validation": bench.metrics(outcome.model, "validation")}
        ),
        **outcome.evidence,
    }
    return StepOutput(outcome.model, plan, evidence)


def _train(bench: Workbench, step: FinetuneStep | DistillStep, given: StepInput) -> StepOutput:
    taught = isinstance(step, DistillStep)
    losses = planned_losses(step.losses) if isinstance(step, DistillStep) else LABELS_ONLY
    plan = plan_training(step.train, losses, teacher="baseline" if taught else None)
    teacher = bench.build(state=given.baseline) if taught else None
    before, metrics = bench.state(given.model), bench.metrics(given.model, "validation")
    outcome = train(bench, given.model, plan, salt=given.index + 1, teacher=teacher)
    after = bench.state(outcome.model)
    if all(np.array_equal(before[name], after[name]) for name in before):
        raise NoEffectError(
            "training changed no weight", where=f"steps[{given.index}]", remedy="raise the learning rate"
        )
    change = _change({"validation": metrics}, {"validation": bench.metrics(outcome.model, "validation")})
    return StepOutput(outcome.model, plan, {**change, **outcome.evidence})


def _quantize(bench: Workbench, step: QuantizeStep, given: StepInput) -> StepOutput:
    exported = exporting.canonical(bench, given.model, given.directory / exporting.FINAL)
    plan = exporting.calibrated_plan(bench, step, exported.model)
    if not plan.points:
        raise NoEffectError(
            "nothing in this network can be quantized",
            where=f"steps[{given.index}]",
            value="; ".join(f"{layer}: {reason}" for layer, reason in plan.left_float.items())
            or "no layer with weights",
            remedy="leave the quantization step out",
        )
    metrics = bench.metrics(given.model, "validation")
    simulated = exporting.simulate(bench, exported.folded, plan)
    owners = [point.owner for point in plan.points]
    evidence = {
        "points": {"simulated": simulated.evidence.get("points"), "graph_only": owners.count("graph")},
        "folded": len(exported.folds),
        "left_float": plan.left_float,
        **_change({"validation": metrics}, {"validation": bench.metrics(simulated.model, "validation")}),
    }
    return StepOutput(given.model, plan, evidence)


def _apply(bench: Workbench, step: Frozen, given: StepInput) -> StepOutput:
    before = bench.state(given.model)
    outcome = bench.manager.apply_step(bench.backend, given.model, step, bench.context)
    after = bench.state(outcome.model)
    unchanged = before.keys() == after.keys() and all(np.array_equal(before[name], after[name]) for name in before)
    if unchanged and not outcome.evidence:
        raise NoEffectError(
            "the step changed nothing", where=f"steps[{given.index}]", value=str(getattr(step, "kind", step))
        )
    shapes = [{name: np.shape(values) for name, values in state.items()} for state in (before, after)]
    return StepOutput(outcome.model, None, dict(outcome.evidence), replayable=shapes[0] == shapes[1])


def _size(bench: Workbench, model: Model) -> dict[str, int]:
    return {"params": counting.count_parameters(bench.state(model)), "macs": counting.count_macs(bench.layers(model))}


def _change(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"before": before[name], "after": after[name]} for name in before}


_OWN: dict[type[Any], Callable[[Workbench, Any, StepInput], StepOutput]] = {
    PruneStep: _prune,
    FinetuneStep: _train,
    DistillStep: _train,
    QuantizeStep: _quantize,
}
