"""The parent's side of a worker: starts it, hands on its events, and turns its end into a result or an error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paredown import files
from paredown.engine.conversing import OnEvent, converse, ending, start
from paredown.engine.runner import run_directory
from paredown.errors import BackendFailed
from paredown.results import RunResult, SensitivityRun
from paredown.spec.models import Spec

SENSITIVITY = "sensitivity"
"""Where within the output directory measurements of sensitivity work, apart from runs."""


def run_in_process(
    spec: Spec,
    backend: str,
    seed: int,
    out: Path,
    *,
    base_dir: Path,
    fresh: bool,
    on_event: OnEvent,
    trust: Sequence[str] = (),
) -> RunResult:
    """Runs one backend and seed in a worker process; `trust` names the modules whose code the spec may name.

    Raises:
        ParedownError: The worker's own error; `BackendFailed` when it died without one.
    """
    place = run_directory(out, backend, seed)
    request = {"base_dir": str(base_dir.resolve()), "fresh": fresh, "trust": list(trust)}
    found = _work("run", spec, backend, seed, place, request, on_event)
    return RunResult.model_validate(found)


def sensitivity_in_process(
    spec: Spec,
    backend: str,
    seed: int,
    out: Path,
    *,
    base_dir: Path,
    fresh: bool,
    on_event: OnEvent,
    trust: Sequence[str] = (),
) -> SensitivityRun:
    """Measures the sensitivity of one backend's and seed's baseline in a worker process; `trust` as for a run.

    Raises:
        ParedownError: The worker's own error; `BackendFailed` when it died without one.
    """
    place = run_directory(out / SENSITIVITY, backend, seed)
    request = {"base_dir": str(base_dir.resolve()), "fresh": fresh, "trust": list(trust)}
    found = _work("sensitivity", spec, backend, seed, place, request, on_event)
    return SensitivityRun.model_validate(found)


def _work(
    work: str, spec: Spec, backend: str, seed: int, directory: Path, settings: dict[str, Any], on_event: OnEvent
) -> Any:
    """Starts a worker, hands it the request, and returns what it found, as JSON values."""
    files.make_directory(directory.parent)
    log = directory.parent / f"seed-{seed}.log"
    request = {
        "work": work,
        "spec": spec.model_dump(mode="json"),
        "backend": backend,
        "seed": seed,
        "directory": str(directory.resolve()),
        **settings,
    }
    with log.open("a", encoding="utf-8") as errors:
        worker = start("paredown.engine.worker", spec.run, errors)
        found = converse(worker, request, on_event)
    if found is None:
        raise BackendFailed(
            f"the process of backend {backend} ended without a result",
            where=str(log),
            value=ending(worker, log),
            remedy="read the log; run the same command again to go on from the last finished step",
        )
    return found["result"]
