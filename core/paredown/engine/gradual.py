"""Pruning that happens inside a training step: its masking, and the plan of the masks that it ends with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from paredown.algorithms import masks
from paredown.algorithms.gradual import GradualMasks
from paredown.contracts import Array
from paredown.engine.mask_checks import nothing_removed
from paredown.engine.stepping import StepInput
from paredown.engine.weight_pruning import mask_plan, maskable, ratios
from paredown.engine.workbench import Workbench
from paredown.plan import MaskPlan
from paredown.spec.models import DistillStep, FinetuneStep, PruneStep


@dataclass(frozen=True, slots=True)
class Gradual:
    """A pruning under way: what masks the weights, its step and place, and how many weights were masked before."""

    masking: GradualMasks
    step: PruneStep
    place: str
    left_whole: dict[str, str]
    masked_before: int

    def plan(self) -> MaskPlan:
        """The masks as they stand at the end of the training.

        Raises:
            NoEffectError: They remove nothing that was not masked before.
        """
        assert self.step.ratio is not None
        found, amount = self.masking.masks(), {"ratio": self.step.ratio}
        if _masked(found) == self.masked_before:
            raise nothing_removed(self.place, amount)
        return mask_plan(self.step, found, self.left_whole, amount)


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
    epochs = inner.schedule.end_epoch(step.train.epochs)
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
    return Gradual(masking, inner, place, left_whole, _masked(masking.masks()))


def _masked(found: Mapping[str, Array]) -> int:
    return sum(int(np.count_nonzero(~mask)) for mask in found.values())
