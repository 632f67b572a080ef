"""`make bench-tasks`: the example of each task on both backends, from one baseline that torch trains for both.

A run trains with one thread, though the bounds on time are those of two cores. Resumable: a finished step is kept by
the run's own journal in out/bench-tasks, a trained baseline in the cache there, seconds beside them. Two processes may
each run tasks of their own (`--only`): they share nothing but the cache. Whichever ends writes what both have. Writes
benchmarks/results/tasks.json and .md and docs/images/bench-tasks.svg; returns 1 when a bound is not kept.

Most of its time goes to the two detectors.

`--only TASK` runs one task, and may be given again; `--so-far` runs nothing. Either writes what is there. With
`BENCH_SHORT=1` in the environment everything is rehearsed on a few images, and the results stay in
out/bench-tasks-short.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import figure
import report
from clock import CODE, SECONDS, Clock
from subject import IS_SHORT, OUT, ROOT, SUBJECTS
from summary import code_of_now, summarise

import paredown
from paredown import files
from paredown.errors import ParedownError
from paredown.results import Comparison

RESULTS = OUT if IS_SHORT else ROOT / "benchmarks" / "results"
PICTURE = (OUT if IS_SHORT else ROOT / "docs" / "images") / "bench-tasks.svg"
_COMPARISON, _FAILED = "compare.json", "failed.json"


def main(arguments: Sequence[str]) -> int:
    """Runs what is missing and writes the results."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=SUBJECTS, default=None)
    parser.add_argument("--so-far", action="store_true")
    given = parser.parse_args(arguments)
    os.environ["PAREDOWN_CACHE"] = str(OUT / "cache")  # so that the seconds of a baseline are those of its training
    for task in () if given.so_far else given.only or SUBJECTS:
        print(f"== {task}", flush=True)
        _run(task)
    results = _write()
    print(report.render(results))
    return 0 if results["complete"] and all(verdict == "kept" for verdict in results["bounds"].values()) else 1


def _run(task: str) -> None:
    """Runs one task; one that fails is remembered, for what an earlier run left there is not its result."""
    out = OUT / task
    try:
        clock = Clock(out, code_of_now())
        paredown.compare(SUBJECTS[task].spec(), out=out, listener=clock)
    except ParedownError as error:  # the other tasks are shown all the same
        print(error, flush=True)
        files.write_json(out / _FAILED, [error.to_dict()])
    else:
        (out / _FAILED).unlink(missing_ok=True)


def _write() -> dict[str, Any]:
    found = {task: _read(OUT / task) for task in SUBJECTS if (OUT / task / _COMPARISON).is_file()}
    results = summarise(found)
    files.write_json(RESULTS / "tasks.json", results)
    files.write_text(RESULTS / "tasks.md", report.render(results))
    files.write_text(PICTURE, figure.draw(results))
    return results


def _read(directory: Path) -> tuple[Comparison, dict[str, dict[str, float]], dict[str, Any]]:
    compared = Comparison.model_validate(files.read_json(directory / _COMPARISON))
    seconds, code, failed = (directory / name for name in (SECONDS, CODE, _FAILED))
    known = {"failures": files.read_json(failed)} if failed.is_file() else {}
    return (
        compared,
        files.read_json(seconds) if seconds.is_file() else {},
        (files.read_json(code) if code.is_file() else {}) | known,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
