"""torchdistill's losses by hand, in an environment of its own: `by_torchdistill.py SEED`, cells on standard input.

A plain loop on torch with torchdistill's loss modules and its hooks. Network, teacher, first weights (those of the
projections too), order of images and optimizer are ours, and each loss has the weight with which its formula is ours.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from by_hand import on_torch
from cells import Cell, step
from subject import Subject, recipe
from torch import nn
from torchdistill.core.forward_hook import ForwardHookManager
from torchdistill.losses.mid_level import ATLoss, KDLoss, SimpleLossWrapper
from worker import told

from paredown import files
from paredown.contracts import Model
from paredown.engine.lessons import Lessons
from paredown.engine.teaching.preparing import prepare_lessons

LOGITS = "fc"
"""The layer of both networks whose output is the network's."""

Values = dict[str, dict[str, torch.Tensor]]
"""What torchdistill's hooks give: layer, then `output`, then the tensor."""


def main(seed: int) -> None:
    """Answers `[{"cell", "path"}]`: writes a result for each cell."""
    subject = Subject("torch", "cnn", seed)
    for one in json.load(sys.stdin):
        cell = Cell(**one["cell"])
        found = learn(subject, cell)
        files.write_json(Path(one["path"]), {"cell": one["cell"], **found})
        print(f"{cell.name}: {told(found)}", flush=True)


def learn(subject: Subject, cell: Cell) -> dict[str, Any]:
    """Trains a student by a loss of torchdistill's beside cross entropy, and measures it."""
    given = subject.given()
    lessons = prepare_lessons(subject.workbench, subject.step(step(cell)), given)
    objective = Objective(subject, cell, given.model, lessons)
    start = time.process_time()
    loss = on_torch(subject, given.model, recipe(), objective, objective.parameters)
    seconds = round(time.process_time() - start, 1)
    return {**subject.accuracy(given.model), "loss": loss, "seconds": seconds}


class Objective:
    """Cross entropy and one loss of torchdistill's, of a batch."""

    def __init__(self, subject: Subject, cell: Cell, student: Model, lessons: Lessons) -> None:
        self._student, self._teacher = student, lessons.teacher
        taps = lessons.losses[1].taps
        self._hooks = [
            _hooked(student, [LOGITS, *(tap.student for tap in taps)]),
            _hooked(lessons.teacher, [LOGITS, *(tap.teacher for tap in taps)]),
        ]
        self._regressors: dict[str, nn.Parameter] = {
            taps[place].student: nn.Parameter(torch.from_numpy(values))
            for (_, place), values in lessons.projections.items()
        }
        self.parameters = list(self._regressors.values())
        pairs = [(tap.student, tap.teacher) for tap in taps]
        positions = {name: math.prod(shape[1:]) for name, shape in subject.workbench.taps(student).items()}
        self._term = _TERMS[cell.loss](cell, pairs, positions)

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss."""
        self._student(images)
        with torch.no_grad():
            self._teacher(images)
        student, teacher = (hooks.pop_io_dict() for hooks in self._hooks)
        for name, weight in self._regressors.items():
            student[name]["output"] = nn.functional.conv2d(student[name]["output"], weight)
        return self._term(student, teacher, labels)


Term = Callable[[Values, Values, torch.Tensor], torch.Tensor]
Pairs = Sequence[tuple[str, str]]


def _hooked(model: Model, names: Sequence[str]) -> ForwardHookManager:
    hooks = ForwardHookManager("cpu")
    for name in names:
        hooks.add_hook(model, name, requires_input=False, requires_output=True)
    return hooks


def _kl(cell: Cell, pairs: Pairs, positions: dict[str, int]) -> Term:  # noqa: ARG001 - one signature
    loss = KDLoss(LOGITS, "output", LOGITS, "output", cell.options["temperature"], alpha=1.0, beta=cell.weight)
    return lambda student, teacher, labels: loss(student, teacher, labels)


def _attention(cell: Cell, pairs: Pairs, positions: dict[str, int]) -> Term:
    """Ours adds up over positions and takes the mean over pairs; theirs the other way round."""
    loss = ATLoss(
        {
            own: {
                "student": {"io": "output", "path": own},
                "teacher": {"io": "output", "path": taught},
                "weight": cell.weight * positions[own] / len(pairs),
            }
            for own, taught in pairs
        },
        mode="code",
    )
    return lambda student, teacher, labels: _on_labels(student, labels) + loss(student, teacher)


def _hints(cell: Cell, pairs: Pairs, positions: dict[str, int]) -> Term:  # noqa: ARG001 - one signature
    wrapped = [
        SimpleLossWrapper(
            nn.MSELoss(),
            input={"is_from_teacher": False, "module_path": own, "io": "output"},
            target={"is_from_teacher": True, "module_path": taught, "io": "output"},
        )
        for own, taught in pairs
    ]

    def term(student: Values, teacher: Values, labels: torch.Tensor) -> torch.Tensor:
        hints = torch.stack([loss(student, teacher, labels) for loss in wrapped]).mean()
        return _on_labels(student, labels) + cell.weight * hints

    return term


def _on_labels(student: Values, labels: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(student[LOGITS]["output"], labels)


_TERMS: dict[str, Callable[[Cell, Pairs, dict[str, int]], Term]] = {
    "kl": _kl,
    "attention": _attention,
    "feature_l2": _hints,
}


if __name__ == "__main__":
    main(int(sys.argv[1]))
