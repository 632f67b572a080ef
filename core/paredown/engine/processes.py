"""The parent's side of a worker: starts it, hands on its events, and turns its end into a result or an error."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paredown import files
from paredown.engine.provenance import thread_count
from paredown.engine.runner import run_directory
from paredown.errors import BackendFailed, ParedownError
from paredown.results import RunResult, SensitivityRun
from paredown.spec.models import Spec

OnEvent = Callable[[dict[str, Any]], None]
SENSITIVITY = "sensitivity"
"""Where within the output directory measurements of sensitivity work, apart from runs."""

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


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
    threads = str(thread_count(spec.run))
    environment = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, threads), "PYTHONHASHSEED": "0"}
    with log.open("a", encoding="utf-8") as errors:
        worker = subprocess.Popen(
            # -P: a file in the current directory must not stand in for an installed module.
            [sys.executable, "-P", "-m", "paredown.engine.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            env=environment,
        )
        try:
            last = _converse(worker, request, on_event)
        finally:
            _end(worker)
    if last.get("event") == "result":
        return last["result"]
    if last.get("event") == "error":
        raise ParedownError.from_dict(last["error"])
    raise _died(worker.returncode, backend, log)


def _converse(worker: subprocess.Popen[str], request: dict[str, Any], on_event: OnEvent) -> dict[str, Any]:
    assert worker.stdin is not None
    assert worker.stdout is not None
    last: dict[str, Any] = {}
    try:
        worker.stdin.write(json.dumps(request) + "\n")
        worker.stdin.flush()
    except BrokenPipeError:
        return last
    for line in worker.stdout:
        last = json.loads(line)
        on_event(last)
        if last["event"] in ("result", "error"):
            break
    return last


def _end(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        worker.stdin.close()
    try:
        worker.wait(timeout=20)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
    if worker.stdout is not None:
        worker.stdout.close()


def _died(code: int, backend: str, log: Path) -> BackendFailed:
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return BackendFailed(
        f"the process of backend {backend} ended without a result",
        where=str(log),
        value=how + (f"; last line: {lines[-1][:300]}" if lines else ""),
        remedy="read the log; run the same command again to go on from the last finished step",
    )
