"""How long training takes, in pairs that take turns: `speed.py BACKEND` prints the figures as JSON.

- `soft_labels`: `cnn` under a teacher that runs, by the same training with soft labels of the cache. Only the training
  is counted, as it is for a second student: the teacher is loaded and its outputs are in the cache.
- `overhead`: our loop on the labels alone, by the same loop by hand.

Seconds are those of the processor. With one thread they are what passes on a machine that does nothing else, and other
work on the machine disturbs them less.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import by_hand
import numpy as np
from cells import SPEED_PAIRS, Backend, Cell, step
from subject import SALT, Subject, recipe

from paredown.contracts import State
from paredown.engine.teaching.preparing import prepare_lessons
from paredown.engine.training import on_labels, plan_training, train

SEED = 0
TRAIN = recipe(epochs=1)

Training = Callable[[], tuple[float, State]]
"""Trains a fresh student; returns the seconds, and the arrays that it ends with."""


def main(backend: Backend) -> None:
    """Measures one backend."""
    subject = Subject(backend, "cnn", SEED)
    hook = partial(_by_hook, subject)
    hook()  # what a framework does once, it does before the first pair
    running, cached = (partial(_under_teacher, subject, soft_labels) for soft_labels in ("none", "cache"))
    found = {
        "backend": backend,
        "soft_labels": _in_turns(running, cached),
        "overhead": _in_turns(hook, partial(_by_hand, subject)),
    }
    print(json.dumps(found))


def _in_turns(first: Training, second: Training) -> dict[str, Any]:
    """Seconds of both, how many times the first's the second's go into, and how far apart they end."""
    seconds: list[tuple[float, float]] = []
    difference = 0.0
    for pair in range(SPEED_PAIRS):
        order = (first, second) if pair % 2 == 0 else (second, first)
        done = {training: training() for training in order}
        (one, state), (other, same) = done[first], done[second]
        seconds.append((round(one, 2), round(other, 2)))
        difference = max(difference, *(float(np.max(np.abs(state[name] - same[name]))) for name in state))
    return {
        "seconds": seconds,
        "ratios": [round(one / other, 4) for one, other in seconds],
        "weights_differ_by": difference,
    }


def _under_teacher(subject: Subject, soft_labels: str) -> tuple[float, State]:
    given = subject.given()
    cell = Cell(subject.backend, "cnn", SEED, "kl", "torch", 1.0)
    lessons = prepare_lessons(subject.workbench, subject.step({**step(cell), "soft_labels": soft_labels}), given)
    plan = plan_training(TRAIN, lessons.losses, lessons.title)
    start = time.process_time()
    outcome = train(subject.workbench, given.model, plan, salt=SALT, lessons=lessons)
    return time.process_time() - start, subject.workbench.state(outcome.model)


def _by_hook(subject: Subject) -> tuple[float, State]:
    model = subject.given().model
    start = time.process_time()
    outcome = train(subject.workbench, model, plan_training(TRAIN, on_labels(subject.workbench)), salt=SALT)
    return time.process_time() - start, subject.workbench.state(outcome.model)


def _by_hand(subject: Subject) -> tuple[float, State]:
    model = subject.given().model
    loop = by_hand.on_torch if subject.backend == "torch" else by_hand.on_paddle
    start = time.process_time()
    loop(subject, model, TRAIN)
    return time.process_time() - start, subject.workbench.state(model)


if __name__ == "__main__":
    main(sys.argv[1])  # type: ignore[arg-type]  # run.py gives a backend's name
