"""Whole runs and measurements of sensitivity, in a process that has its framework loaded; some are killed midway."""

from __future__ import annotations

import os
import signal
import time
import traceback
from pathlib import Path
from typing import Any

from backend_processes import BackendProcess

from paredown.engine.preflight import require_able
from paredown.engine.trust import Trust
from paredown.engine.worker import WORK
from paredown.manager import Manager
from paredown.results import RunResult, SensitivityRun
from paredown.spec.loader import load_spec


class Runner:
    """Does on one backend what the command does with a spec; raises the run's own `ParedownError`."""

    def __init__(self, process: BackendProcess) -> None:
        self._process = process

    def run(self, spec: dict[str, Any], place: Path, cache: Path | None = None) -> tuple[Path, RunResult, list[str]]:
        """Runs a spec below a directory; returns the run's directory, its result, its notes."""
        directory = self._directory(place)
        done = self._process.ask("whole_runs", "run", spec, directory, cache)
        return directory, RunResult.model_validate(done["result"]), done["notes"]

    def sensitivity(self, spec: dict[str, Any], place: Path, cache: Path) -> SensitivityRun:
        """What a measurement finds."""
        done = self._process.ask("whole_runs", "sensitivity", spec, self._directory(place), cache)
        return SensitivityRun.model_validate(done["result"])

    def kill(self, stage: str, spec: dict[str, Any], place: Path, cache: Path) -> bool:
        """Begins a run in a process of its own, and kills it as soon as it says that it is in a stage.

        False if it ends and never was there. Torch trains in no process that is forked from one that has trained.
        """
        return self._process.ask("whole_runs", "run", spec, self._directory(place), cache, stage)

    def _directory(self, place: Path) -> Path:
        return place / self._process.backend / "seed-0"


def main(
    backend: str, work: str, spec: dict[str, Any], place: str, cache: str | None = None, stage: str | None = None
) -> Any:
    """Does a work with a spec in a directory; returns its result and its notes, or whether it was killed in a stage."""
    kept = os.environ["PAREDOWN_CACHE"]
    os.environ["PAREDOWN_CACHE"] = cache or kept
    try:
        if stage is not None:
            return _killed(stage, backend, work, spec, Path(place))
        notes: list[str] = []
        result = _do(backend, work, spec, Path(place), notes.append, events=("note",))
        return {"result": result.model_dump(mode="json"), "notes": notes}
    finally:
        os.environ["PAREDOWN_CACHE"] = kept


def _do(backend: str, work: str, spec: dict[str, Any], directory: Path, tell: Any, events: tuple[str, ...]) -> Any:
    manager = Manager.discover()
    checked = load_spec(spec, manager.registry)
    require_able(manager, checked, backend)
    directory.mkdir(parents=True, exist_ok=True)

    def report(event: str, **fields: Any) -> None:
        if event in events:
            tell(fields["text"])

    return WORK[work](manager, checked, backend, 0, directory, base_dir=directory.parent, report=report, trust=Trust())


def _killed(stage: str, backend: str, work: str, spec: dict[str, Any], directory: Path) -> bool:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with os.fdopen(writing, "w", buffering=1) as told:
                _do(backend, work, spec, directory, lambda text: told.write(f"{text}\n"), events=("stage",))
        except BaseException:  # or it would answer in its parent's place
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        for line in told:
            if stage in line:
                time.sleep(0.05)
                os.kill(child, signal.SIGKILL)
                break
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])
