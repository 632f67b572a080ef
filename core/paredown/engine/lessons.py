"""What a distillation gives the training loop besides the network: who teaches, through which losses and layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from paredown.contracts import Array, FloatArray, Model
from paredown.plan import PlannedLoss


@dataclass(frozen=True, slots=True)
class Lessons:
    """The terms of the loss and what teaches, as `TrainingRun` takes them.

    `labels` are soft labels for all training images; `answers` runs a teacher that is no network of this framework on
    each batch. At most one of `teacher`, `labels` and `answers` is given.
    """

    losses: tuple[PlannedLoss, ...]
    title: str | None = None
    way: Literal["offline", "online", "self"] = "offline"
    teacher: Model | None = None
    labels: FloatArray | None = None
    answers: Callable[[FloatArray], FloatArray] | None = None
    peer: Model | None = None
    average: float | None = None
    projections: Mapping[tuple[int, int], Array] = field(default_factory=dict)
