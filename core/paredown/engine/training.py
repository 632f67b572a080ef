"""Training steps: the plan of the loss, and what the backend's one loop is given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paredown.algorithms.schedules import learning_rate
from paredown.contracts import Masking, Model, Outcome, Quantizing, TrainingRun
from paredown.engine.workbench import Workbench
from paredown.errors import BackendFailed
from paredown.plan import DistillPlan, PlannedLoss
from paredown.spec.base import ComponentConfig
from paredown.spec.models import BaselineConfig, TrainConfig

LABELS_ONLY = (PlannedLoss(kind="hard_label", options={}, weight=1.0),)


def planned_losses(losses: Sequence[ComponentConfig]) -> tuple[PlannedLoss, ...]:
    """The terms of a spec's losses: `weight` apart from the options of each kind."""
    planned = []
    for loss in losses:
        options = loss.model_dump(exclude={"kind"})
        planned.append(PlannedLoss(kind=loss.kind, weight=float(options.pop("weight", 1.0)), options=options))
    return tuple(planned)


def plan_training(
    train: TrainConfig | BaselineConfig, losses: tuple[PlannedLoss, ...] = LABELS_ONLY, teacher: str | None = None
) -> DistillPlan:
    """The plan of one training step."""
    return DistillPlan(
        losses=losses,
        teacher=teacher,
        epochs=train.epochs,
        batch_size=train.batch_size,
        optimizer=train.optimizer,
        schedule=train.schedule,
        bn_l1=train.bn_l1 if isinstance(train, TrainConfig) else 0.0,
    )


def train(
    bench: Workbench,
    model: Model,
    plan: DistillPlan,
    *,
    salt: int,
    teacher: Model | None = None,
    masking: Masking | None = None,
    quantizing: Quantizing | None = None,
) -> Outcome:
    """Trains a network by a plan, and holds the backend to the masks.

    Args:
        bench: The run.
        model: The student.
        plan: The loss, the optimizer, the length.
        salt: Which training of the run this is, so that each sees the images in another order.
        teacher: The teacher, where the plan names one.
        masking: What holds weights at zero, where any are.
        quantizing: What chooses scales, where the network trains with fake quantization.

    Raises:
        BackendFailed: A masked weight is not zero afterwards.
    """
    seed = bench.context.seed * 1_000 + salt
    steps, epoch = bench.epochs(plan.batch_size, seed)

    def on_epoch(index: int, loss: float) -> None:
        bench.report("epoch", epoch=index + 1, epochs=plan.epochs, loss=loss)

    registry = bench.manager.registry
    run = TrainingRun(
        batches=epoch,
        steps_per_epoch=steps,
        learning_rate=learning_rate(plan.schedule, plan.optimizer.lr, plan.epochs, steps),
        losses=[registry.implementation("distill_loss", loss.kind, backend=bench.backend) for loss in plan.losses],
        seed=seed,
        teacher=teacher,
        masking=masking,
        quantizing=quantizing,
        on_epoch=on_epoch,
    )
    outcome = bench.manager.distill(bench.backend, model, plan, run)
    if masking is not None:
        _require_masked(bench, outcome.model, masking)
    return outcome


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
