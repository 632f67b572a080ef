"""Core's own plugin: the four kinds of step, and the components whose arithmetic lives in core."""

from __future__ import annotations

from collections.abc import Sequence

from paredown.contracts import Component, StepKind
from paredown.markers import hookimpl
from paredown.spec.components import HardLabelLoss, KlLoss, L1Criterion, L2Criterion, MinMaxObserver
from paredown.spec.models import DistillStep, FinetuneStep, PruneStep, QuantizeStep


@hookimpl
def register_steps() -> Sequence[StepKind]:
    """The kinds of step that core decides for every backend."""
    return (
        StepKind("prune", PruneStep),
        StepKind("finetune", FinetuneStep),
        StepKind("distill", DistillStep),
        StepKind("quantize", QuantizeStep),
    )


@hookimpl
def register_components() -> Sequence[Component]:
    """Criteria and observers in NumPy; losses with their NumPy references, which each backend implements again."""
    return (
        Component("criterion", "l1", "paredown.algorithms.importance:l1", L1Criterion),
        Component("criterion", "l2", "paredown.algorithms.importance:l2", L2Criterion),
        Component("observer", "minmax", "paredown.algorithms.observers:MinMaxObserver", MinMaxObserver),
        Component("distill_loss", "hard_label", "paredown.algorithms.losses:hard_label", HardLabelLoss),
        Component("distill_loss", "kl", "paredown.algorithms.losses:kl", KlLoss),
    )
