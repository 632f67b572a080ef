"""Pruning that happens inside a training step: its masking, and the plan of the masks that it ends with."""

from __future__ import annotations

from dataclasses import dataclass

from paredown.algorithms import masks
from paredown.algorithms.gradual import GradualMasks
from paredown.engine.stepping import StepInput
from paredown.engine.weight_pruning import mask_plan, maskable, ratios
from paredown.engine.workbench import Workbench
from paredown.plan import MaskPlan
from paredown.spec.models import DistillStep, FinetuneStep, PruneStep

_LEARNING = 0.75
"""The share of a training in which masks grow, where the schedule names no end: the rest is for recovery."""


@dataclass(frozen=True, slots=True)
class Gradual:
    """A pruning under way: what masks the weights, and its step."""

    masking: GradualMasks
    step: PruneStep
    left_whole: dict[str, str]

    def plan(self) -> MaskPlan:
        """The masks as they stand at the end of the training."""
        assert self.step.ratio is not None
        return mask_plan(self.step, self.masking.masks(), self.left_whole, {"ratio": self.step.ratio})


def begin(bench: Workbench, step: FinetuneStep | DistillStep, given: StepInput) -> Gradual | None:
    """The gradual pruning that a training step asks for; None where it asks for none.

    Raises:
        UnsupportedError: No layer may be masked.
        SpecError: A selector picks nothing.
    """
    inner = next((one for one in step.during if isinstance(one, PruneStep)), None)
    if inner is None:
        return None
    assert inner.ratio is not None  # the spec's checks see to it
    assert inner.schedule is not None
    place = f"steps[{given.index}].during[{step.during.index(inner)}]"
    state, layers = bench.state(given.model), bench.layers(given.model)
    weights, left_whole = maskable(inner, state, layers, place)
    steps_per_epoch, _ = bench.epochs(step.train.batch_size, 0)
    epochs = inner.schedule.end if inner.schedule.end is not None else _LEARNING * step.train.epochs
    last = step.train.epochs * steps_per_epoch - 1
    masking = GradualMasks(
        parameters=tuple(weights),
        criterion=bench.manager.registry.weight_criterion(inner.criterion.kind),
        options=inner.criterion,
        ratio=inner.ratio,
        scope=inner.scope,
        overrides=ratios(inner, weights, layers, place),
        held=given.masks,
        begin=min(round(inner.schedule.begin * steps_per_epoch), last),
        end=min(round(epochs * steps_per_epoch), last),
        every=inner.schedule.every,
        seed=bench.context.seed,
        initial=masks.all_true(weights),
    )
    return Gradual(masking, inner, left_whole)
