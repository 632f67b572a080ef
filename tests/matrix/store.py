"""Finished cells, kept under out/matrix by a hash of all that they depend on, and the processes that make them."""

from __future__ import annotations

import functools
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from helpers import ROOT
from matrix.cells import BETWEEN_BACKENDS, Cell

from paredown import files
from paredown.engine.provenance import OURS, versions
from paredown.manager import Manager

OUT = ROOT / "out" / "matrix"
PLAN, RESULT, REPLAY, LOG = "plan.json", "cell.json", "replay.json", "log.txt"
MINUTES = 20
NOT_USED = ("cli", "report", "testing")
"""Parts of core that no cell runs."""


def directory_of(cell: Cell) -> Path:
    """Where a cell's files are."""
    return OUT / str(cell)


def results(cells: Iterable[Cell]) -> dict[Cell, dict[str, Any]]:
    """The results that are there and not stale, with the checks between backends among the others."""
    found = {}
    for cell in cells:
        result = _read(cell, RESULT, key(cell.backend))
        if result is not None:
            found[cell] = {**result, "checks": {**result["checks"], **_between(cell)}}
    return found


def make(cells: Iterable[Cell], processes: int) -> None:
    """Runs the cells that are missing, stale, or were cut short, and then their replays."""
    with ThreadPoolExecutor(processes) as pool:
        for _ in pool.map(_make_one, sorted(set(cells), key=_expense)):
            pass


@functools.cache
def key(backend: str) -> str:
    """A hash of the sources and of the versions that a backend's cells depend on."""
    digest = hashlib.sha256()
    for path in _sources(backend):
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(path.read_bytes())
    info = Manager.discover().registry.backends[backend]
    installed = versions([*(name for name in OURS if name != "paredown"), *info.distributions])
    digest.update(repr(sorted(installed.items())).encode())
    return digest.hexdigest()


def _sources(backend: str) -> list[Path]:
    core = ROOT / "core" / "paredown"
    own = [path for path in core.rglob("*.py") if path.relative_to(core).parts[0] not in NOT_USED]
    parts = (f"backends/paredown_{backend}", "plugins/paredown_onnxruntime")
    others = [path for part in parts for path in (ROOT / part).rglob("*") if path.suffix in (".py", ".json")]
    here = [Path(__file__).with_name(f"{name}.py") for name in ("bench", "cell", "checks", "replay")]
    return sorted([*own, *others, *here, ROOT / "tests" / "agreement" / "networks.py"])


def _make_one(cell: Cell) -> None:
    directory = directory_of(cell)
    found = _read(cell, RESULT, key(cell.backend))
    if found is None or "died" in found:
        files.remove_directory(directory)
        files.make_directory(directory)
        died = _process("cell", cell.backend, cell)
        own = tuple(check for check in cell.checks if check not in BETWEEN_BACKENDS)
        fallback = {"network": cell.network, "backend": cell.backend, "checks": dict.fromkeys(own, died)}
        _stamp(directory / RESULT, key(cell.backend), died, fallback)
    if cell.other is None:
        return
    found = _read(cell, REPLAY, _replay_key(cell))
    if found is None or "died" in found:
        died = _process("replay", cell.other, cell)
        _stamp(directory / REPLAY, _replay_key(cell), died, {"replay": died})


def _process(module: str, backend: str, cell: Cell) -> str | None:
    """Runs a module on a backend; returns how it died, where it did. What it prints is kept beside its result."""
    paths = os.pathsep.join(filter(None, (str(ROOT / "tests"), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    directory = directory_of(cell)
    command = [sys.executable, "-m", f"matrix.{module}", backend, cell.network, str(directory)]
    with (directory / f"{module}-{LOG}").open("w", encoding="utf-8") as log:
        try:
            done = subprocess.run(
                command, stdout=log, stderr=log, env=environment, cwd=ROOT, timeout=60 * MINUTES, check=False
            )
        except subprocess.TimeoutExpired:
            return f"not done after {MINUTES} minutes"
    if done.returncode < 0:
        return f"killed by {signal.Signals(-done.returncode).name}"
    return f"ended with {done.returncode}: see {Path(log.name).relative_to(ROOT)}" if done.returncode else None


def _stamp(path: Path, stamp: str, died: str | None, fallback: dict[str, Any]) -> None:
    """Puts the key into what a process wrote, or writes for it that it died."""
    result = {**fallback, "died": died} if died else files.read_json(path)
    files.write_json(path, {"key": stamp, **result})


def _between(cell: Cell) -> dict[str, bool | str]:
    """The checks between backends: those of a cell that both have."""
    if cell.other is None:
        return {}
    replay = _read(cell, REPLAY, _replay_key(cell)) or {"replay": "not run"}
    plans = [directory_of(Cell(cell.network, backend)) / PLAN for backend in (cell.backend, cell.other)]
    return {"replay": replay["replay"], "same plan": same_plan(*plans)}


def same_plan(one: Path, other: Path) -> bool | str:
    """Whether the plans of two backends cut alike, or what differs."""
    if not (one.is_file() and other.is_file()):
        return "a backend has no plan"
    mine, theirs = (files.read_json(plan)["cuts"] for plan in (one, other))
    return mine == theirs or f"{sum(a != b for a, b in zip(mine, theirs, strict=False))} cuts differ"


def _replay_key(cell: Cell) -> str:
    return f"{key(cell.backend)} {key(cell.other)}" if cell.other else ""


def _read(cell: Cell, name: str, stamp: str) -> dict[str, Any] | None:
    path = directory_of(cell) / name
    if not path.is_file():
        return None
    result: dict[str, Any] = files.read_json(path)
    return result if result.get("key") == stamp else None


def _expense(cell: Cell) -> tuple[bool, Cell]:
    """The longest first, so that no core waits for one at the end."""
    return not cell.network.startswith(("wide", "vgg", "dense", "vit", "resnext", "resnet50")), cell
