"""`make bench-distillation`: students alone and taught, by every loss, on both frameworks, and beside torchdistill.

Resumable: every finished cell is a file in out/bench-distillation and is not repeated. Two processes work at once, one
thread each, torch and paddle never in one; what measures time runs alone, at the end. Torch's teachers are the trained
networks of benchmarks/pruning. The weight of each loss is chosen on validation images of seed 0, among three. Writes
benchmarks/results/distillation.json and .md and docs/images/bench-distillation.svg; returns 1 when a bound is not kept.

Estimated at an hour on two cores: 88 trainings of half a minute to a minute and a half, teachers, and the timing.

`--so-far` writes what an unfinished run holds; `--only TEXT` runs the cells whose name has this text, with the weights
as chosen so far, and writes nothing else. With `BENCH_SHORT=1` in the environment everything is rehearsed on a few
images, and the results stay in out/bench-distillation-short.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import figure
import report
from cells import (
    ENVIRONMENT,
    IS_SHORT,
    OUT,
    ROOT,
    SEEDS,
    STUDENTS,
    TEACHER,
    TORCHDISTILL,
    VENV,
    Backend,
    Cell,
    digest,
    pilot,
    spec,
    teacher_path,
    trial,
)
from lanes import Job, Lanes
from outcome import choose_weights, summarise, tried

from paredown import files
from paredown.errors import SpecError
from paredown.manager import Manager
from paredown.spec.loader import load_spec

HERE = Path(__file__).parent
RESULTS = OUT if IS_SHORT else ROOT / "benchmarks" / "results"
PICTURE = (OUT if IS_SHORT else ROOT / "docs" / "images") / "bench-distillation.svg"
BACKENDS: tuple[Backend, Backend] = ("torch", "paddle")
LANES = Lanes(OUT, ENVIRONMENT)
CELLS_A_JOB = 6
"""So that both lanes end together, and importing a framework is a small part."""


def main(arguments: Sequence[str]) -> int:
    """Runs what is missing and writes the results."""
    if "--so-far" in arguments:
        _write()
        return 0
    start = time.monotonic()
    text = arguments[arguments.index("--only") + 1] if "--only" in arguments else ""
    left_out = _left_out()
    _learn([cell for cell in pilot() if text in cell.name])
    cells = [cell for cell in _trial() if text in cell.name and cell.student not in left_out]
    _learn(cells)
    if text:
        return 0
    for backend in BACKENDS:
        if not _speed_path(backend).is_file():
            files.write_json(
                _speed_path(backend), LANES.answer(Job(f"speed-{backend}", _command("speed.py", backend), []))
            )
    results = _write()
    print(report.render(results))
    print(f"{(time.monotonic() - start) / 60:.1f} minutes")
    return 0 if all(verdict == "kept" for verdict in results["bounds"].values()) else 1


def _trial() -> list[Cell]:
    return trial(choose_weights(_read(pilot())))


def _left_out() -> dict[str, str]:
    """Students whose spec this version refuses, and why."""
    registry = Manager.discover().registry
    found = {}
    for student, network in STUDENTS.items():
        try:
            load_spec(spec(network), registry)
        except SpecError as error:
            found[student] = str(error)
            print(f"{student} is left out: {error}", flush=True)
    return found


def _learn(cells: Sequence[Cell]) -> None:
    """Runs the cells that are missing, and before them the teachers that they need."""
    missing = [cell for cell in cells if not cell.path.is_file()]
    needed = {
        (backend, cell.seed)
        for cell in missing
        for backend in BACKENDS
        if cell.teacher.startswith(backend) and not teacher_path(backend, cell.seed, ".json").is_file()
    }
    LANES.run([_job(backend, TEACHER, seed, ()) for backend, seed in sorted(needed)])
    if any(cell.lane == "torchdistill" for cell in missing):
        _make_environment()
    LANES.run(_jobs(missing))


def _jobs(cells: Sequence[Cell]) -> list[Job]:
    """By lane, student and seed, a few cells each; the slow first, so that both lanes end together."""
    groups: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.lane, cell.student, cell.seed), []).append(cell)
    ordered = sorted(groups.items(), key=lambda one: one[0][0] != "paddle")
    return [
        _job(*key, tuple(found[start : start + CELLS_A_JOB]))
        for key, found in ordered
        for start in range(0, len(found), CELLS_A_JOB)
    ]


def _job(lane: str, student: str, seed: int, cells: tuple[Cell, ...]) -> Job:
    name = f"{lane}-{student}-seed{seed}"
    if lane == "torchdistill":
        command = (str(VENV / "bin" / "python"), str(HERE / "by_torchdistill.py"), str(seed))
        return Job(name, command, [{"cell": asdict(cell), "path": str(cell.path)} for cell in cells])
    return Job(name, _command("worker.py", lane, student, str(seed)), [asdict(cell) for cell in cells])


def _command(script: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, str(HERE / script), *arguments)


def _make_environment() -> None:
    """Torchdistill's environment: the peer, and paredown with this environment's PyTorch."""
    wanted = [*TORCHDISTILL, *(f"{name}=={version(name)}" for name in ("torch", "torchvision", "onnxruntime"))]
    stamp = VENV / f".installed-{digest(wanted)}"
    if stamp.is_file():
        return
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)], check=True)
    python = str(VENV / "bin" / "python")
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "-e", f"{ROOT}[torch]", *wanted], check=True)
    stamp.touch()


def _write() -> dict[str, Any]:
    left_out, cells = _left_out(), _trial()
    teachers = [teacher_path(backend, seed, ".json") for backend in BACKENDS for seed in SEEDS]
    results = summarise(
        _read(cells),
        [files.read_json(path) for path in teachers if path.is_file()],
        [files.read_json(_speed_path(backend)) for backend in BACKENDS if _speed_path(backend).is_file()],
        tried(_read(pilot())),
        [cell.name for cell in cells if cell.student in left_out],
        wanted=len(cells),
    )
    files.write_json(RESULTS / "distillation.json", results)
    files.write_text(RESULTS / "distillation.md", report.render(results))
    files.write_text(PICTURE, figure.draw(results))
    return results


def _read(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    return [files.read_json(cell.path) for cell in cells if cell.path.is_file()]


def _speed_path(backend: Backend) -> Path:
    return OUT / "speed" / f"{backend}.json"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
