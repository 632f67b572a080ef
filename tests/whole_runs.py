"""Whole runs, one after another in one process for each backend.

Most of a small run through the command is the start of two processes and of the framework's exporter. What is asked of
the content of many runs is asked here; tests of the command start it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from paredown.errors import ParedownError
from paredown.results import RunResult


class Runner:
    """A process that runs specs on one backend, started with the first."""

    def __init__(self, backend: str, cache: Path) -> None:
        self.backend, self._cache = backend, cache
        self._process: subprocess.Popen[str] | None = None

    def run(self, spec: dict[str, Any], place: Path) -> tuple[Path, RunResult, list[str]]:
        """Runs a spec below a directory as the command does; returns the run's directory, its result, its notes.

        Raises:
            ParedownError: The run's own.
        """
        process = self._process = self._process or self._start()
        directory = place / self.backend / "seed-0"
        process.stdin.write(json.dumps({"spec": spec, "directory": str(directory)}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            self.close()
            raise AssertionError(f"the process of {self.backend} died: its last words are on standard error")
        answer = json.loads(line)
        if "error" in answer:
            raise ParedownError.from_dict(answer["error"])
        return directory, RunResult.model_validate_json((directory / "result.json").read_text()), answer["notes"]

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
            [sys.executable, "-m", "whole_runs", self.backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )


def serve(backend: str) -> None:
    """Runs the spec of each line of standard input, and answers with a line."""
    from paredown.engine.preflight import require_able
    from paredown.engine.runner import run_one
    from paredown.manager import Manager
    from paredown.spec.loader import load_spec

    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # frameworks print
    manager = Manager.discover()
    for line in sys.stdin:
        request, notes = json.loads(line), []
        directory = Path(request["directory"])
        directory.mkdir(parents=True, exist_ok=True)

        def report(event: str, notes: list[str] = notes, **fields: Any) -> None:
            if event == "note":
                notes.append(fields["text"])

        try:
            spec = load_spec(request["spec"], manager.registry)
            require_able(manager, spec, backend)
            run_one(manager, spec, backend, 0, directory, base_dir=directory.parent, report=report)
            answer: dict[str, Any] = {"notes": notes}
        except ParedownError as error:
            answer = {"error": error.to_dict()}
        channel.write(json.dumps(answer) + "\n")
        channel.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
