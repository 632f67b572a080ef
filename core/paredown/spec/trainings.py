"""Every training that a spec describes, with its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from paredown.spec.document import DataPath
from paredown.spec.models import BaselineConfig, DistillStep, Spec, TrainConfig
from paredown.spec.teachers import ZooTeacher


def trainings(spec: Spec) -> Iterator[tuple[DataPath, BaselineConfig | TrainConfig]]:
    """The trainings of the baseline, of steps, of recoveries between rounds and of teachers; those of no epochs not."""
    if spec.baseline is not None and spec.baseline.epochs > 0:
        yield ("baseline",), spec.baseline
    for index, step in enumerate(spec.steps):
        path: DataPath = ("steps", index)
        for field in ("train", "recover"):
            training: Any = getattr(step, field, None)
            if isinstance(training, TrainConfig):
                yield (*path, field), training
        if isinstance(step, DistillStep):
            for place, teacher in step.named_teachers():
                if isinstance(teacher, ZooTeacher) and teacher.train is not None and teacher.train.epochs > 0:
                    yield (*path, *place, "train"), teacher.train


def trained_on(spec: Spec, backend: str) -> str | None:
    """The backend that trains the baseline of a run on this one; None where it is not trained."""
    return (spec.baseline.train_on or backend) if spec.baseline is not None and spec.baseline.epochs else None


def trainers(spec: Spec, backends: Sequence[str]) -> tuple[str, ...]:
    """The backends that train something for runs on these, beside what each trains for itself."""
    named = (training.train_on for _, training in trainings(spec) if isinstance(training, BaselineConfig))
    return tuple(dict.fromkeys(name for name in named if name is not None and set(backends) - {name}))
