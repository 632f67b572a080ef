"""A run in a process of its own.

Two frameworks in one process slow each other down, and an exporter may die of a signal that nobody can catch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from paredown.engine.conversing import answer
from paredown.engine.runner import run_one
from paredown.engine.sensitivity_run import run_sensitivity
from paredown.engine.trust import Trust, trusting
from paredown.errors import ArtifactError
from paredown.manager import Manager
from paredown.results import RunResult, SensitivityRun
from paredown.spec.loader import load_spec
from paredown.spec.models import Spec


class Work(Protocol):
    """What a worker can be asked to do with a spec, on one backend with one seed."""

    def __call__(
        self,
        manager: Manager,
        spec: Spec,
        backend: str,
        seed: int,
        directory: Path,
        *,
        base_dir: Path,
        fresh: bool = False,
        report: Callable[..., None],
        trust: Trust,
    ) -> RunResult | SensitivityRun:
        """Does it in `directory` and returns what was found."""
        ...


WORK: dict[str, Work] = {"run": run_one, "sensitivity": run_sensitivity}


def work(request: dict[str, Any], report: Callable[..., None]) -> dict[str, Any]:
    """Does what is asked, in its directory, which no other process works in meanwhile."""
    manager = Manager.discover()
    spec = load_spec(request["spec"], manager.registry)
    directory, base_dir = Path(request["directory"]), Path(request["base_dir"])
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        result = WORK[request["work"]](
            manager,
            spec,
            request["backend"],
            request["seed"],
            directory,
            base_dir=base_dir,
            fresh=request["fresh"],
            report=report,
            trust=trusting(request["trust"], base_dir),
        )
    return {"result": result.model_dump(mode="json")}


class _locked:  # noqa: N801
    """Holds the directory for one process; the lock goes with the process, however it ends."""

    def __init__(self, directory: Path) -> None:
        self._path = directory.parent / f".{directory.name}.lock"

    def __enter__(self) -> None:
        import fcntl

        self._file = self._path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ArtifactError(
                "another process is working in this place",
                where=str(self._path),
                remedy="wait for it, or choose another --out",
            ) from error

    def __exit__(self, *_: object) -> None:
        self._file.close()


if __name__ == "__main__":
    sys.exit(answer(work))
