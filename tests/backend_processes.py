"""A process for each backend, which does one thing after another that tests ask of it.

Most of a small run is the start of processes: a framework, its exporter and the plugins take ten seconds to import.
What tests claim of the content of runs and plans is made here; tests of the command start it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from importlib import import_module
from pathlib import Path
from threading import Timer
from typing import Any

from torch_exporter import keep_operators

from paredown.errors import ParedownError

PATIENCE = 20 * 60
"""Seconds that an answer may take: a framework that hangs fails a test, and does not block all others."""


class BackendProcess:
    """A process that calls `main(backend, *arguments)` of modules below `tests`; it starts with the first call."""

    def __init__(self, backend: str, cache: Path) -> None:
        self.backend, self._cache = backend, cache
        self._process: subprocess.Popen[str] | None = None

    def ask(self, module: str, *arguments: Any) -> Any:
        """What a module's `main` returns.

        Raises:
            ParedownError: That of `main`.
        """
        self.begin(module, *arguments)
        return self.answer()

    def begin(self, module: str, *arguments: Any) -> None:
        """Asks and does not wait, so that both backends work at a time."""
        if self._process is not None and self._process.poll() is not None:
            self.close()
        process = self._process = self._process or self._start()
        process.stdin.write(json.dumps({"module": module, "arguments": arguments}, default=str) + "\n")
        process.stdin.flush()

    def answer(self) -> Any:
        """What the process says to the last question; raises as `ask` does."""
        process = self._process
        late = Timer(PATIENCE, process.kill)
        late.daemon = True
        late.start()
        line = process.stdout.readline()
        late.cancel()
        if not line:
            self.close()
            raise AssertionError(
                f"the process of {self.backend} died, or gave no answer for {PATIENCE} s and was killed: "
                "its last words are on standard error"
            )
        answer = json.loads(line)
        if "error" in answer:
            raise ParedownError.from_dict(answer["error"])
        assert "failed" not in answer, f"on {self.backend}:\n{answer['failed']}"
        return answer["returned"]

    def close(self) -> None:
        """Ends the process, which has nothing left to do: a framework takes seconds to leave by itself."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        paths = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
        environment = {"PYTHONPATH": paths, "PAREDOWN_CACHE": str(self._cache), "PYTHONHASHSEED": "0"}
        return subprocess.Popen(
            [sys.executable, "-m", "backend_processes", self.backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )


def ask_all(processes: dict[str, BackendProcess], module: str, directories: dict[str, Path]) -> None:
    """Fills a directory on each backend, side by side."""
    begun, failed = [], []
    for backend, directory in directories.items():
        try:
            processes[backend].begin(module, directory)
            begun.append(backend)
        except OSError as error:
            failed.append(f"the process of {backend} takes no question: {error}")
            processes[backend].close()
    for backend in begun:  # an answer that is left would be taken for that of the next question
        try:
            processes[backend].answer()
        except (AssertionError, ParedownError) as error:
            failed.append(str(error))
    assert not failed, "\n".join(failed)


def serve(backend: str) -> None:
    """Answers each line of standard input with a line."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # frameworks print
    if backend == "torch":
        keep_operators()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"returned": import_module(request["module"]).main(backend, *request["arguments"])}
        except ParedownError as error:
            answer = {"error": error.to_dict()}
        except Exception:  # the test that asked fails, and not those after it
            answer = {"failed": traceback.format_exc()}
        channel.write(json.dumps(answer) + "\n")
        channel.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
