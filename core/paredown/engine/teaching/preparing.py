"""Finding what a distillation teaches with, and checking it before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paredown.algorithms.initialization import draw_network
from paredown.algorithms.outputs import first
from paredown.contracts import Array, Model
from paredown.engine.lessons import Lessons
from paredown.engine.stepping import StepInput
from paredown.engine.students import student_source
from paredown.engine.teaching.soft_labels import require_repeatable, soft_labels
from paredown.engine.teaching.taps import (
    Networks,
    draw_projections,
    planned_taps,
    require_comparable,
    require_layers,
    tapped,
)
from paredown.engine.teaching.teachers import Teacher, check_teacher, make_teacher, require_outputs
from paredown.engine.workbench import Workbench
from paredown.plan import PlannedLoss, PrunePlan
from paredown.spec.base import ComponentConfig, Frozen
from paredown.spec.losses import HARD_LABEL, LossSchedule
from paredown.spec.models import DistillStep, FinetuneStep, PruneStep, QuantizeStep

_NOT_OPTIONS = ("weight", "schedule", "taps", "projection")
PEER_SEED = 7_919
"""Added to the run's seed for the second student of an online training, which must not start as the first."""


def prepare_lessons(bench: Workbench, step: DistillStep, given: StepInput) -> Lessons:
    """Finds, trains or loads what teaches, and resolves every tap.

    Raises:
        ModelError, ArtifactError, WeightsError: A teacher does not fit, or a tap is none.
        UnsupportedError: Soft labels are asked for of a caller's loader.
    """
    place = f"steps[{given.index}]"
    if step.way != "offline":
        peer = _peer(bench, given) if step.way == "online" else None
        losses, projections = _resolved(bench, step, given.model, given.model, place)
        average = step.average if step.way == "self" else None
        return Lessons(losses, way=step.way, peer=peer, average=average, projections=projections)
    assert step.offline_teacher is not None
    teacher = make_teacher(bench, step.offline_teacher, given.baseline, f"{place}.teacher")
    shape = _output_shape(bench, given.model)
    if needs_outputs(bench, step):
        require_outputs(bench, teacher, shape, f"{place}.teacher")
    if step.soft_labels == "cache":
        labels = soft_labels(bench, teacher, shape, place)
        return Lessons(planned_losses(bench, step.losses), teacher.title, labels=labels)
    if teacher.model is None:
        return Lessons(planned_losses(bench, step.losses), teacher.title, answers=teacher.outputs)
    losses, projections = _resolved(bench, step, given.model, teacher.model, place)
    return Lessons(losses, teacher.title, teacher=teacher.model, projections=projections)


def require_lessons(
    bench: Workbench, finished: int = 0, cuts: Sequence[PrunePlan] = (), *, features_alone: bool = False
) -> None:
    """Checks before any training what can be known then: teachers, their classes, names and ranks of taps.

    Where no step in between cuts channels, the shapes that a loss compares are known as well. So this is asked again
    after each cut, before the trainings that follow.

    Args:
        bench: The run.
        finished: How many steps are done, and need no check any more.
        cuts: Of these steps, in order.
        features_alone: Leaves out the distillations that compare no features.

    Raises:
        ModelError, ArtifactError, WeightsError, UnsupportedError: As `prepare_lessons`.
    """
    for index, step in enumerate(bench.spec.steps):
        if index < finished or not isinstance(step, DistillStep):
            continue
        if not features_alone or any(True for _ in tapped(step.losses)):
            model = bench.build(tuple(cuts), source=student_source(bench.spec, index + 1))
            keeps_shapes = all(_keeps_shapes(between) for between in bench.spec.steps[finished:index])
            _require_teachable(bench, step, model, f"steps[{index}]", keeps_shapes=keeps_shapes)


def _keeps_shapes(step: Frozen) -> bool:
    if isinstance(step, PruneStep):
        return step.granularity != "channel"
    return isinstance(step, FinetuneStep | DistillStep | QuantizeStep)


def _require_teachable(bench: Workbench, step: DistillStep, model: Model, place: str, *, keeps_shapes: bool) -> None:
    if step.soft_labels == "cache":
        require_repeatable(bench, place)
    teacher: Teacher | None = None
    if step.offline_teacher is not None:
        teacher = check_teacher(bench, step.offline_teacher, f"{place}.teacher")
        if needs_outputs(bench, step):
            require_outputs(bench, teacher, _output_shape(bench, model), f"{place}.teacher")
    if any(True for _ in tapped(step.losses)):
        taught = model if teacher is None else teacher.model
        networks = _networks(bench, step, model, taught)
        require_layers(step.losses, networks, place)
        if keeps_shapes:
            require_comparable(bench, planned_losses(bench, step.losses, networks), networks, place)


def needs_outputs(bench: Workbench, step: DistillStep) -> bool:
    """Whether a loss compares outputs; labels alone and features need none of the teacher's."""
    components = bench.manager.registry.components
    return any(components["distill_loss", loss.kind].reads == "outputs" for loss in step.losses)


def planned_losses(
    bench: Workbench, losses: tuple[ComponentConfig, ...], networks: Networks | None = None
) -> tuple[PlannedLoss, ...]:
    """The terms of a spec's losses: weight, schedule and taps apart from the options of each kind.

    Where the spec says `hard_label` the plan has the name of the task's own loss.
    """
    planned = []
    for loss in losses:
        schedule: LossSchedule | None = getattr(loss, "schedule", None)
        planned.append(
            PlannedLoss(
                kind=bench.label_loss if loss.kind == HARD_LABEL else loss.kind,
                options=loss.model_dump(exclude={"kind", *_NOT_OPTIONS}),
                weight=float(getattr(loss, "weight", 1.0)),
                taps=() if networks is None else planned_taps(loss, networks),
                schedule=schedule,
                guided=bench.is_guided(loss.kind),
            )
        )
    return tuple(planned)


def _resolved(
    bench: Workbench, step: DistillStep, student: Model, teacher: Model, place: str
) -> tuple[tuple[PlannedLoss, ...], dict[tuple[int, int], Array]]:
    if not any(True for _ in tapped(step.losses)):
        return planned_losses(bench, step.losses), {}
    networks = _networks(bench, step, student, teacher)
    require_layers(step.losses, networks, place)
    losses = planned_losses(bench, step.losses, networks)
    require_comparable(bench, losses, networks, place)
    return losses, draw_projections(losses, bench.context.seed)


def _networks(bench: Workbench, step: DistillStep, student: Model, teacher: Model) -> Networks:
    guided = any(bench.is_guided(loss.kind) for loss in step.losses)
    zeros = np.zeros((2, *bench.input_shape), np.float32)
    answers = bench.manager.evaluate(bench.backend, teacher, zeros) if guided else None
    return Networks(bench.taps(student), bench.taps(teacher), answers)


def _peer(bench: Workbench, given: StepInput) -> Model:
    """A network of the student's shapes with other weights, drawn from another seed."""
    source = None if given.root is None else given.root.source
    model = bench.build(given.plans, source=source)
    name = (source or bench.source).name
    drawn = draw_network(name, bench.state(model), bench.context.seed + PEER_SEED)
    return bench.manager.restore(bench.backend, model, drawn)


def _output_shape(bench: Workbench, model: Model) -> tuple[int, ...]:
    zeros = np.zeros((2, *bench.input_shape), np.float32)
    return first(bench.manager.evaluate(bench.backend, model, zeros)).shape[1:]
