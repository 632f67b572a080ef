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
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from paredown.deploy.measure import THREAD_VARIABLES
from paredown.engine.provenance import thread_count
from paredown.errors import ParedownError
from paredown.spec.models import RunConfig

OnEvent = Callable[[dict[str, Any]], None]
Tell = Callable[..., None]


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
        env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, threads), "PYTHONHASHSEED": "0"},
    )


def converse(
    process: subprocess.Popen[str], request: dict[str, Any], on_event: OnEvent = lambda _: None
) -> dict[str, Any] | None:
    """Hands over a request, tells of every event, ends the process, and returns its result; None if it gave none.

    Raises:
        ParedownError: What the process answered with.
    """
    try:
        return _ask(process, request, on_event)
    finally:
        _end(process)


def _ask(process: subprocess.Popen[str], request: dict[str, Any], on_event: OnEvent) -> dict[str, Any] | None:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        return None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "error":
            raise ParedownError.from_dict(event["error"])
        if event["event"] == "result":
            return {name: value for name, value in event.items() if name != "event"}
        on_event(event)
    return None


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


def ending(process: subprocess.Popen[str], log: Path | None = None) -> str:
    """How a process ended: by which signal, or with which exit code; and the last line of its log."""
    code = process.returncode
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    said = log.read_text(encoding="utf-8", errors="replace").split("\n") if log is not None else []
    last = next((line for line in reversed(said) if line.strip()), "")
    return f"{how}; last line: {last[:300]}" if last else how


def answer(work: Callable[[dict[str, Any], Tell], dict[str, Any]]) -> int:
    """Does what the parent asks, tells it the fields of the result, and returns the exit code.

    An error of ours is an answer too. `work` takes the request, and what tells the parent of an event by name and
    fields.
    """
    request, tell = _hear()
    try:
        found = work(request, tell)
    except ParedownError as error:
        traceback.print_exc()
        tell("error", error=error.to_dict())
        return error.exit_code
    tell("result", **found)
    return 0


def _hear() -> tuple[dict[str, Any], Tell]:
    """The request of the parent, and what tells it of events; this process ends with the parent.

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
