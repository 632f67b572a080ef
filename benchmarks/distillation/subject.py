"""What every cell of a process shares: the data, the student as it begins, the order of the images, the measuring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cells import STUDENTS, TRAIN, Backend, spec

from paredown.algorithms.initialization import draw
from paredown.algorithms.schedules import learning_rate
from paredown.contracts import Batch, Model, RunContext, State
from paredown.engine.stepping import StepInput
from paredown.engine.workbench import Workbench
from paredown.manager import Manager
from paredown.spec.loader import load_spec
from paredown.spec.models import TrainConfig

SALT = 1
"""Of the first step of a spec; every cell of a seed sees the same batches in the same order."""


class Subject:
    """One backend, one student, one seed."""

    def __init__(self, backend: Backend, student: str, seed: int) -> None:
        self.backend, self.student, self.seed = backend, student, seed
        self.manager = Manager.discover()
        checked = load_spec(spec(STUDENTS[student]), self.manager.registry)
        self.workbench = Workbench(self.manager, backend, checked, RunContext(seed=seed, device="cpu"))

    def given(self) -> StepInput:
        """A fresh student with the weights that the seed draws, as the first step of a run is given it."""
        model = self.workbench.build()
        state: State = draw(self.workbench.state(model), self.seed)
        model = self.manager.restore(self.backend, model, state)
        return StepInput(model, state, index=SALT - 1, directory=Path())

    def step(self, step: dict[str, Any]) -> Any:
        """A step of a spec, checked."""
        return load_spec(spec(STUDENTS[self.student], [step]), self.manager.registry).steps[0]

    def accuracy(self, model: Model) -> dict[str, float]:
        """Top-1 on validation and on test."""
        return {name: self.workbench.metrics(model, name)["top1"] for name in ("validation", "test")}

    def order(self, train: TrainConfig) -> tuple[int, Callable[[int], Iterator[Batch]], Callable[[int], float]]:
        """For loops by hand: steps of an epoch, the batches of each epoch, the learning rate of each step."""
        steps, batches = self.workbench.epochs(train.batch_size, self.seed * 1_000 + SALT)
        return steps, batches, learning_rate(train.schedule, train.optimizer.lr, train.epochs, steps)


def recipe(**changed: Any) -> TrainConfig:
    """The budget of `cnn`; `changed` replaces parts of it."""
    return TrainConfig.model_validate({**TRAIN, **changed})
