"""The steps: measure in the framework, decide in core, act in the framework, and say what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from paredown.contracts import Model
from paredown.engine import exporting, gradual, qat
from paredown.engine.channel_pruning import prune_channels
from paredown.engine.effective_bits import effective_bits
from paredown.engine.evidence import change, size, sparsity, unchanged
from paredown.engine.lessons import Lessons
from paredown.engine.mask_checks import require_held, shapes
from paredown.engine.quantization import quantize
from paredown.engine.sources import zoo_source
from paredown.engine.stepping import Root, StepInput, StepOutput
from paredown.engine.students import new_student
from paredown.engine.teaching.preparing import prepare_lessons
from paredown.engine.training import on_labels, plan_training, train
from paredown.engine.weight_pruning import prune_weights
from paredown.engine.workbench import Workbench
from paredown.errors import NoEffectError
from paredown.plan import QuantPlan
from paredown.spec.base import Frozen
from paredown.spec.models import DistillStep, FinetuneStep, PruneStep, QuantizeStep, ZooModel


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
    return (prune_channels if step.granularity == "channel" else prune_weights)(bench, step, given)


def _train(bench: Workbench, step: FinetuneStep | DistillStep, given: StepInput) -> StepOutput:
    before_metrics = bench.metrics(given.model, "validation")
    replaced: dict[str, Any] = {}
    if isinstance(step, DistillStep) and step.student is not None:
        given, replaced = _with_student(bench, step.student, given)
    lessons = prepare_lessons(bench, step, given) if isinstance(step, DistillStep) else Lessons(on_labels(bench))
    plan = plan_training(step.train, lessons.losses, lessons.title, lessons.way)
    if isinstance(step, DistillStep) and step.student is not None:
        plan = plan.model_copy(update={"student": step.student.name})
    pruning = gradual.begin(bench, step, given)
    masking = given.masking if pruning is None else pruning.masking
    quantized = qat.begin(bench, step, given)
    before = bench.state(given.model)
    outcome = train(
        bench,
        given.model,
        plan,
        salt=given.index + 1,
        lessons=lessons,
        masking=masking,
        quantizing=None if quantized is None else quantized.scales,
    )
    after = bench.state(outcome.model)
    if unchanged(before, after):
        raise NoEffectError(
            "training changed no weight", where=f"steps[{given.index}]", remedy="raise the learning rate"
        )
    evidence = {
        **change({"validation": before_metrics}, {"validation": bench.metrics(outcome.model, "validation")}),
        **replaced,
        **outcome.evidence,
    }
    if pruning is not None:
        made = pruning.plan()
        parameters = [mask.parameter for mask in made.masks]
        evidence |= change({"sparsity": sparsity(before, parameters)}, {"sparsity": sparsity(after, parameters)}) | {
            "left_whole": made.left_whole
        }
        plan = plan.model_copy(update={"masks": made})
    if quantized is not None:
        deployed = quantized.plan(bench, outcome.model, outcome, given.directory / exporting.FINAL)
        plan = plan.model_copy(update={"quantization": deployed})
        evidence |= _simulated(bench, outcome.model, deployed)
        evidence |= {"silent": list(quantized.silent)} if quantized.silent else {}
        levels = quantized.require_levels(outcome.learned)
        evidence |= {"learned_levels": levels} if quantized.step.pact else {}
    return StepOutput(outcome.model, plan, evidence)


def _with_student(bench: Workbench, network: ZooModel, given: StepInput) -> tuple[StepInput, dict[str, Any]]:
    """The same place in the run with another network, and how its size compares with the one before."""
    student, notes = new_student(bench, network)
    evidence: dict[str, Any] = {
        "student": network.name,
        **change(size(bench, given.model), size(bench, student)),
        **({"notes": list(notes)} if notes else {}),
    }
    root = Root(zoo_source(network), bench.state(student))
    return replace(given, model=student, root=root), evidence


def _simulated(bench: Workbench, model: Model, plan: QuantPlan) -> dict[str, Any]:
    """What the trained network is worth quantized, and which of its points the framework simulated."""
    copy, folds = exporting.folded(bench, model)
    simulated = exporting.simulate(bench, copy, plan, {})
    owners = [point.owner for point in plan.points]
    return {
        "points": {"simulated": simulated.evidence.get("points"), "graph_only": owners.count("graph")},
        "folded": len(folds),
        "left_float": plan.left_float,
        **effective_bits(plan),
        "quantized": {"validation": bench.metrics(simulated.model, "validation")},
    }


def _apply(bench: Workbench, step: Frozen, given: StepInput) -> StepOutput:
    kind, place = str(getattr(step, "kind", "")), f"steps[{given.index}]"
    before = bench.state(given.model)
    outcome = bench.manager.apply_step(bench.backend, given.model, step, bench.context)
    after = bench.state(outcome.model)
    if unchanged(before, after) and not outcome.evidence:
        raise NoEffectError(
            "the step changed nothing",
            where=place,
            value=kind,
            expected="other weights, or evidence of what was found",
            remedy="choose settings with which it does something, or leave the step out",
        )
    owner = bench.manager.registry.step_owner(kind)
    require_held(given.masks, before, after, kind=kind, owner=owner, place=place)
    return StepOutput(outcome.model, None, dict(outcome.evidence), replayable=shapes(before) == shapes(after))


_OWN: dict[type[Any], Callable[[Workbench, Any, StepInput], StepOutput]] = {
    PruneStep: _prune,
    FinetuneStep: _train,
    DistillStep: _train,
    QuantizeStep: quantize,
}
