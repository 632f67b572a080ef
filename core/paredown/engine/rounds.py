"""Iterative pruning: rounds that remove a part each, with recovery after each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from paredown.algorithms.composition import compose
from paredown.algorithms.gradual import HeldMasks
from paredown.algorithms.groups import GroupSet, after_cuts
from paredown.contracts import Model
from paredown.engine.amounts import Part, amount
from paredown.engine.pruning import Decision, decide, name_uncut
from paredown.engine.stepping import StepInput, masks_after
from paredown.engine.training import on_labels, plan_training, train
from paredown.engine.workbench import Workbench
from paredown.plan import PrunePlan
from paredown.spec.models import PruneStep

_ROUND_SALT = 1_000
"""Sets the trainings of rounds apart from those of steps: each sees the images in an order of its own."""


@dataclass
class Iterated:
    """What rounds came to: the network, one plan for all of them, and the evidence of each."""

    model: Model
    plan: PrunePlan
    rounds: list[dict[str, Any]]
    cutters: dict[str, Any]


@dataclass
class _Progress:
    """What the rounds so far have done."""

    original: GroupSet
    present: GroupSet
    plans: list[PrunePlan] = field(default_factory=list)
    cut_by: set[str] = field(default_factory=set)
    cuts: Counter[str] = field(default_factory=Counter)

    def part(self, share: float) -> Part:
        """The next round's part of the whole."""
        sizes = {group.name: group.size for group in self.original.groups}
        left = {group.name: group.size for group in self.present.groups}
        gone = {name: size - left[name] for name, size in sizes.items() if name in left}
        return Part(share, sizes, gone, self.reached)

    @property
    def reached(self) -> dict[str, float]:
        """The shares kept of what there was before the first round."""
        return compose(self.original, self.plans).reached if self.plans else {}

    def add(self, plan: PrunePlan, evidence: dict[str, Any]) -> None:
        """Notes a round's cut."""
        self.present = after_cuts(self.present, plan.cuts)
        self.plans.append(plan)
        self.cut_by.update(str(evidence.get("cut_by", "")).split("+"))
        self.cuts.update(evidence.get("cuts", {}))


def prune_in_rounds(
    bench: Workbench, step: PruneStep, given: StepInput, groups: GroupSet, whole: Decision, place: str
) -> Iterated:
    """Cuts and recovers by turns; the plans are composed into one, so that the step replays like any other.

    A round whose part is gone already, because an earlier one could not be cut finer, only recovers.

    Args:
        bench: The run.
        step: With `rounds` and `recover`.
        given: The network and what holds of earlier steps.
        groups: The network's coupled channels.
        whole: What one shot would do: it has shown that the target can be reached.
        place: Where the step stands in the spec.
    """
    model, masks, rounds = given.model, given.masks, []
    progress = _Progress(groups, groups)
    assert step.recover is not None  # the spec's checks see to it
    training = plan_training(step.recover, on_labels(bench))
    for index in range(step.rounds):
        bench.report("stage", text=f"step {given.index + 1}: round {index + 1} of {step.rounds}")
        part = progress.part((index + 1) / step.rounds)
        plan = decide(bench, step, model, bench.state(model), progress.present, place, part).plan
        if plan.cuts:
            outcome = bench.cut(model, plan)
            model, masks = outcome.model, masks_after(masks, plan)
            progress.add(plan, dict(outcome.evidence))
        cut = bench.metrics(model, "validation")
        salt = _ROUND_SALT * (given.index + 1) + index
        model = train(bench, model, training, salt=salt, masking=HeldMasks(masks) if masks else None).model
        recovered = bench.metrics(model, "validation")
        rounds.append({"reached": progress.reached, "validation": {"cut": cut, "recovered": recovered}})
    composed = compose(groups, progress.plans)
    permitted = [group for group in groups.groups if group.name in whole.permitted]
    left_whole = {**whole.left_whole, **name_uncut(step, permitted, composed.cuts)}
    plan = composed.model_copy(update={"amount": amount(step), "left_whole": left_whole})
    cutters: dict[str, Any] = {"cut_by": "+".join(sorted(progress.cut_by - {""}, reverse=True))}
    if progress.cuts:
        cutters["cuts"] = dict(progress.cuts)
    return Iterated(model, plan, rounds, cutters)
