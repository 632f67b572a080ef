"""What a step is given and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paredown.algorithms import masks
from paredown.algorithms.gradual import HeldMasks
from paredown.contracts import Array, Masking, Model, ModelSource, State
from paredown.plan import DistillPlan, MaskPlan, Plan, PrunePlan

Masks = Mapping[str, "Array"]
"""Neutral parameter names to boolean arrays in torch's layout, True for what stays."""


@dataclass(frozen=True, slots=True)
class Root:
    """The network that took the baseline's place: what it is built from, and arrays of its shapes before any cut."""

    source: ModelSource
    state: State


@dataclass(frozen=True, slots=True)
class StepInput:
    """What a step works on: the network, the baseline's arrays, its place among the steps, and where files go.

    `plans` are the cuts that were made before, `masks` what is held at zero. `root` is the network that they started
    from where it is another than the baseline. `replayable` is false after a plugin's
    step that changed shapes without a plan.
    """

    model: Model
    baseline: State
    index: int
    directory: Path
    plans: tuple[PrunePlan, ...] = ()
    masks: Masks = field(default_factory=dict)
    replayable: bool = True
    root: Root | None = None

    @property
    def masking(self) -> Masking | None:
        """What holds the present masks while a network trains; None where there are none."""
        return HeldMasks(self.masks) if self.masks else None


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What a step gave: the network, the plan that it followed, and plain facts about what changed.

    `replayable` says that base model, plans and weights rebuild the network; a plugin's step that changes shapes
    without a plan leaves one that they do not. `corrected` are arrays that a quantization changed in the
    folded network.
    """

    model: Model
    plan: Plan | None
    evidence: dict[str, Any] = field(default_factory=dict)
    replayable: bool = True
    corrected: State = field(default_factory=dict)


def masks_after(present: Masks, plan: Plan | None) -> Masks:
    """The masks that hold once a step has followed its plan."""
    if isinstance(plan, PrunePlan):
        return masks.cut(present, plan) if present else present
    made = plan.masks if isinstance(plan, DistillPlan) else plan
    if isinstance(made, MaskPlan):
        return masks.combine(present, {mask.parameter: masks.unpack(mask) for mask in made.masks})
    return present
