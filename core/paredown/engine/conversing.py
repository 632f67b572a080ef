"""How a process and one that works for it talk: a request on standard input, events on standard output, lines of JSON.

The parent keeps standard input open for as long as it lives; when it closes, the process that works for it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

from paredown.engine.provenance import thread_count
from paredown.spec.models import RunConfig

OnEvent = Callable[[dict[str, Any]], None]
_LAST = ("result", "error")
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def start(module: str, run: RunConfig, errors: TextIO | None = None) -> subprocess.Popen[str]:
    """Starts a module of ours with as many threads as a run may use; `errors` takes what it and frameworks print."""
    threads = str(thread_count(run))
    return subprocess.Popen(  # noqa: S603 - modules of ours
        # -P: a file in the current directory must not stand in for an installed module.
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
        env={**os.environ, **dict.fromkeys(_THREAD_VARIABLES, threads), "PYTHONHASHSEED": "0"},
    )


def converse(process: subprocess.Popen[str], request: dict[str, Any], on_event: OnEvent) -> dict[str, Any]:
    """Hands over a request, hears every event, ends the process, and returns the last event; empty without any."""
    try:
        return _ask(process, request, on_event)
    finally:
        _end(process)


def _ask(process: subprocess.Popen[str], request: dict[str, Any], on_event: OnEvent) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    last: dict[str, Any] = {}
    try:
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        return last
    for line in process.stdout:
        last = json.loads(line)
        on_event(last)
        if last["event"] in _LAST:
            break
    return last


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def ending(code: int) -> str:
    """How a process ended, from its return code: by which signal, or with which exit code."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def hear() -> tuple[dict[str, Any], Callable[..., None]]:
    """The request of the parent, and what tells it of an event by name and fields; this process ends with the parent.

    From here on standard output is the parent's: what frameworks print goes to standard error.
    """
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def tell(event: str, **fields: Any) -> None:
        channel.write(json.dumps({"event": event, **fields}) + "\n")
        channel.flush()

    return request, tell


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(3)
