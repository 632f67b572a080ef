"""Learning rates over training: decided here once, so that both frameworks train with the same ones."""

from __future__ import annotations

import math
from collections.abc import Callable

from paredown.spec.models import CosineSchedule, ScheduleConfig, StepSchedule


def learning_rate(schedule: ScheduleConfig, base: float, epochs: int, steps_per_epoch: int) -> Callable[[int], float]:
    """The learning rate as a function of the step, counted from zero over the whole training.

    Args:
        schedule: Constant, cosine (Loshchilov and Hutter, 2017) or step.
        base: The optimizer's learning rate.
        epochs: How many epochs the training has.
        steps_per_epoch: How many batches an epoch has.
    """
    total = max(1, epochs * steps_per_epoch)

    def rate(step: int) -> float:
        if isinstance(schedule, StepSchedule):
            epoch = step // steps_per_epoch
            return float(base * schedule.gamma ** sum(epoch >= milestone for milestone in schedule.milestones))
        if isinstance(schedule, CosineSchedule):
            return base * _cosine(schedule, step, total, steps_per_epoch)
        return base

    return rate


def _cosine(schedule: CosineSchedule, step: int, total: int, steps_per_epoch: int) -> float:
    warmup = min(total, round(schedule.warmup_epochs * steps_per_epoch))
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return schedule.final + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * progress))
