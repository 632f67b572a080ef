"""The weights of losses over training: decided here once, so that both frameworks train with the same ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from paredown.plan import PlannedLoss
from paredown.spec.losses import LossSchedule


def loss_weights(
    losses: Sequence[PlannedLoss], epochs: int, steps_per_epoch: int
) -> Callable[[int], tuple[float, ...]]:
    """The weight of each term as a function of the step, counted from zero over the whole training.

    Args:
        losses: The terms, with their constant weights and maybe schedules.
        epochs: How many epochs the training has.
        steps_per_epoch: How many batches an epoch has.
    """

    def weights(step: int) -> tuple[float, ...]:
        return tuple(
            loss.weight * (1.0 if loss.schedule is None else factor(loss.schedule, step, epochs, steps_per_epoch))
            for loss in losses
        )

    return weights


def factor(schedule: LossSchedule, step: int, epochs: int, steps_per_epoch: int) -> float:
    """The factor at a step: start + (end - start) * f(t), t from 0 at the first step of the change to 1 at its last.

    f(t) = t in a straight line, (1 - cos(pi * t)) / 2 along half a cosine. Before the change the factor is `start`,
    after it `end`.
    """
    first = round((schedule.begin or 0.0) * steps_per_epoch)
    last = round((epochs if schedule.finish is None else schedule.finish) * steps_per_epoch) - 1
    progress = min(1.0, max(0.0, (step - first) / max(1, last - first)))
    if schedule.kind == "cosine":
        progress = 0.5 * (1 - math.cos(math.pi * progress))
    return schedule.start + (schedule.end - schedule.start) * progress
