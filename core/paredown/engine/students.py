"""The network that learns, where a step of the spec names another one than the run began with."""

from __future__ import annotations

from paredown.contracts import Model, ModelSource
from paredown.engine.networks import Recipe, initialised
from paredown.engine.sources import zoo_source
from paredown.engine.workbench import Workbench
from paredown.spec.models import DistillStep, Spec, ZooModel


def student_source(spec: Spec, finished: int | None = None) -> ModelSource | None:
    """The last network that a step put in place of the spec's; None where none did.

    Args:
        spec: The spec.
        finished: How many of its steps count; all by default.
    """
    for step in reversed(spec.steps[:finished]):
        if isinstance(step, DistillStep) and step.student is not None:
            return zoo_source(step.student)
    return None


def new_student(bench: Workbench, network: ZooModel) -> tuple[Model, tuple[str, ...]]:
    """A student with the weights that the spec gives it or the seed draws, and notes for the reader."""
    beginning = initialised(bench, Recipe(zoo_source(network), network.weights, strict=network.strict))
    return beginning.model, beginning.notes
