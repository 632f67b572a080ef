"""Training steps: the plan of the loss, and what the backend's one loop is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from paredown.algorithms.loss_schedules import loss_weights
from paredown.algorithms.schedules import learning_rate
from paredown.contracts import Batch, FloatArray, Masking, Model, Outcome, Quantizing, TrainingRun
from paredown.engine.lessons import Lessons
from paredown.engine.workbench import Workbench
from paredown.errors import BackendFailed
from paredown.plan import DistillPlan, PlannedLoss
from paredown.spec.models import BaselineConfig, TrainConfig


def on_labels(bench: Workbench) -> tuple[PlannedLoss, ...]:
    """The terms of a training on the labels alone: the task's own loss."""
    return (PlannedLoss(kind=bench.label_loss, options={}, weight=1.0),)


def plan_training(
    train: TrainConfig | BaselineConfig,
    losses: tuple[PlannedLoss, ...],
    teacher: str | None = None,
    way: Literal["offline", "online", "self"] = "offline",
) -> DistillPlan:
    """The plan of one training step."""
    return DistillPlan(
        losses=losses,
        teacher=teacher,
        epochs=train.epochs,
        batch_size=train.batch_size,
        optimizer=train.optimizer,
        schedule=train.schedule,
        augment=train.augment,
        bn_l1=train.bn_l1 if isinstance(train, TrainConfig) else 0.0,
        way=way,
    )


def train(
    bench: Workbench,
    model: Model,
    plan: DistillPlan,
    *,
    salt: int,
    lessons: Lessons | None = None,
    masking: Masking | None = None,
    quantizing: Quantizing | None = None,
) -> Outcome:
    """Trains a network by a plan, and holds the backend to the masks.

    Args:
        bench: The run.
        model: The student.
        plan: The loss, the optimizer, the length.
        salt: Which training of the run this is, so that each sees the images in another order.
        lessons: What teaches, where anything does.
        masking: What holds weights at zero, where any are.
        quantizing: What chooses scales, where the network trains with fake quantization.

    Raises:
        BackendFailed: A masked weight is not zero afterwards.
    """
    seed = bench.context.seed * 1_000 + salt
    lessons = lessons or Lessons(plan.losses)
    steps, epoch = bench.epochs(plan.batch_size, seed, lessons.labels, plan.augment)

    def on_epoch(index: int, loss: float) -> None:
        bench.report("epoch", epoch=index + 1, epochs=plan.epochs, loss=loss)

    run = TrainingRun(
        batches=epoch if lessons.answers is None else _answered(epoch, lessons.answers),
        steps_per_epoch=steps,
        learning_rate=learning_rate(plan.schedule, plan.optimizer.lr, plan.epochs, steps),
        losses=[bench.loss(loss.kind) for loss in plan.losses],
        seed=seed,
        teacher=lessons.teacher,
        masking=masking,
        quantizing=quantizing,
        on_epoch=on_epoch,
        loss_weights=loss_weights(plan.losses, plan.epochs, steps),
        projections=lessons.projections,
        way=lessons.way,
        peer=lessons.peer,
        average=lessons.average,
        # Fewer bits than the grid of a quantized tensor would hide what it rounds.
        amp=bench.spec.run.amp and quantizing is None,
    )
    outcome = bench.manager.distill(bench.backend, model, plan, run)
    if masking is not None:
        _require_masked(bench, outcome.model, masking)
    return outcome


def _answered(
    epoch: Callable[[int], Iterator[Batch]], answers: Callable[[FloatArray], FloatArray]
) -> Callable[[int], Iterator[Batch]]:
    """The batches with what a teacher answers to them, in the order that they are asked for."""

    def answered(index: int) -> Iterator[Batch]:
        for images, labels, *_ in epoch(index):
            yield images, labels, answers(images)

    return answered


def _require_masked(bench: Workbench, model: Model, masking: Masking) -> None:
    state = bench.state(model)
    revived = [name for name, mask in masking.masks().items() if np.any(state[name][~mask])]
    if revived:
        raise BackendFailed(
            "weights that were pruned are no longer zero after the training",
            where=f"backend {bench.backend}, {revived[0]}",
            value=f"{len(revived)} arrays",
            expected="masks that are multiplied in after every step of the optimizer",
            remedy="report it to the backend's authors",
        )
