"""A run in a process of its own.

Two frameworks in one process slow each other down, and an exporter may die of a signal that nobody can catch.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from paredown.engine.conversing import hear
from paredown.engine.runner import run_one
from paredown.engine.sensitivity_run import run_sensitivity
from paredown.engine.trust import Trust, trusting
from paredown.errors import ArtifactError, ParedownError
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


def main() -> int:
    """Runs the request and returns the exit code; what frameworks print goes to standard error."""
    request, report = hear()
    try:
        manager = Manager.discover()
        spec = load_spec(request["spec"], manager.registry)
        directory = Path(request["directory"])
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory):
            result = WORK[request["work"]](
                manager,
                spec,
                request["backend"],
                request["seed"],
                directory,
                base_dir=Path(request["base_dir"]),
                fresh=request["fresh"],
                report=report,
                trust=trusting(request["trust"], Path(request["base_dir"])),
            )
    except ParedownError as error:
        traceback.print_exc()
        report("error", error=error.to_dict())
        return error.exit_code
    report("result", result=result.model_dump(mode="json"))
    return 0


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
    sys.exit(main())
