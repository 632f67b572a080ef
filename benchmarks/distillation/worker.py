"""One process of the benchmark: `worker.py BACKEND STUDENT SEED`, and on standard input the cells, as JSON.

Without cells it makes the teacher. Every finished cell is a file at once, so that nothing finished is lost.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Any

from cells import Backend, Cell, step
from subject import Subject
from teacher import make_teacher

from paredown import files
from paredown.engine.steps import perform


def main(backend: Backend, student: str, seed: int) -> None:
    """Runs the cells that standard input names."""
    cells = [Cell(**cell) for cell in json.load(sys.stdin)]
    if not cells:
        start = time.process_time()
        found = make_teacher(backend, seed)
        print(f"teacher seed {seed} on {backend}: {found}, {time.process_time() - start:.0f} s", flush=True)
        return
    subject = Subject(backend, student, seed)
    for cell in cells:
        found = learn(subject, cell)
        files.write_json(cell.path, {"cell": asdict(cell), **found})
        print(f"{cell.name}: {told(found)}", flush=True)


def learn(subject: Subject, cell: Cell) -> dict[str, Any]:
    """Trains a student as a spec with this cell's step would, and measures it."""
    given, checked = subject.given(), subject.step(step(cell))
    start = time.process_time()
    output = perform(subject.workbench, checked, given)
    seconds = round(time.process_time() - start, 1)
    return {**subject.accuracy(output.model), "loss": output.evidence["loss"], "seconds": seconds}


def told(found: dict[str, Any]) -> str:
    """A result in one line."""
    return f"validation {found['validation']:.4f}, test {found['test']:.4f}, {found['seconds']:.0f} s"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))  # type: ignore[arg-type]  # run.py gives a backend's name
