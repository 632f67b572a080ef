"""The error of a training that diverged."""

from __future__ import annotations

from paredown.errors import TrainingDiverged


def diverged(where: str, value: str) -> TrainingDiverged:
    """The training cannot go on: a number is not finite."""
    return TrainingDiverged(
        "training diverged: its numbers are no longer finite",
        where=where,
        value=value,
        expected="finite numbers",
        remedy="look for NaN in the images; lower the learning rate, or add warmup_epochs to the schedule",
    )
