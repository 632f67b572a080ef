"""Learning-rate schedules and optimizers that do not fit the training they are for."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.document import DataPath, Document
from paredown.spec.models import BaselineConfig, CosineSchedule, SgdConfig, StepSchedule, TrainConfig


def check_schedule(training: BaselineConfig | TrainConfig, path: DataPath, document: Document) -> Iterator[Problem]:
    """The problems of one training: where its learning rate never does what its schedule says."""
    schedule, epochs = training.schedule, training.epochs
    if isinstance(schedule, CosineSchedule) and schedule.warmup_epochs >= epochs:
        yield document.problem(
            (*path, "schedule", "warmup_epochs"),
            "the warm-up takes the whole training: the learning rate never comes down",
            value=schedule.warmup_epochs,
            expected=f"less than {epochs}, the epochs of this training",
            remedy="shorten the warm-up, or train longer",
        )
    if isinstance(schedule, StepSchedule):
        yield from _milestones(schedule, epochs, (*path, "schedule", "milestones"), document)
    optimizer = training.optimizer
    if isinstance(optimizer, SgdConfig) and optimizer.nesterov and optimizer.momentum == 0:
        yield document.problem(
            (*path, "optimizer", "nesterov"),
            "Nesterov's method needs momentum",
            value=True,
            expected="`nesterov: false`, or a momentum above 0",
            remedy="set `momentum: 0.9`, or remove `nesterov`",
        )


def _milestones(schedule: StepSchedule, epochs: int, path: DataPath, document: Document) -> Iterator[Problem]:
    for index, milestone in enumerate(schedule.milestones):
        if milestone >= epochs:
            yield document.problem(
                (*path, index),
                "the milestone is never reached",
                value=milestone,
                expected=f"less than {epochs}, the epochs of this training",
                remedy="choose an earlier epoch, or train longer",
            )
        elif index and milestone <= schedule.milestones[index - 1]:
            yield document.problem(
                (*path, index),
                "milestones must ascend",
                value=milestone,
                expected=f"more than {schedule.milestones[index - 1]}, the milestone before it",
                remedy="sort the milestones, each once",
            )
