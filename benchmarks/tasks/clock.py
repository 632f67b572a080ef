"""How long each stage of each run took, and by which code: kept beside the runs, so that nothing is forgotten."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paredown import files
from paredown.engine.run_files import SPEC
from paredown.engine.runner import run_directory
from paredown.errors import ParedownError

SECONDS, CODE = "seconds.json", "code.json"
BASELINE = ("baseline", "known baseline")
"""The stages before the steps: the baseline is trained, or taken from the cache."""

_KNOWN = "taken from the cache"


class Clock:
    """A listener of runs. A stage is known by its event; a baseline that came from the cache is not a training."""

    def __init__(self, out: Path, code: Mapping[str, Any]) -> None:
        """Of the runs below a directory.

        `code` is what is there now; a run that is only read from disk keeps the codes that it was made by.
        """
        self._out, self._code = out, dict(code)
        self.codes: dict[str, Any] = _known(out / CODE)
        self.seconds: dict[str, dict[str, float]] = _known(out / SECONDS)
        self._stage, self._began, self._is_known = "", 0.0, False

    def start(self, backend: str, seed: int) -> None:
        """A run begins, or goes on. Where none was begun, what is known is that of a run that was removed.

        The cache outlives runs, and so do the seconds of the training that is kept there.
        """
        print(f"{backend} ...", flush=True)
        if not (run_directory(self._out, backend, seed) / SPEC).is_file():
            self.codes.pop(backend, None)
            known = self.seconds.pop(backend, {})
            self.seconds[backend] = {stage: known[stage] for stage in BASELINE if stage in known}
        self._stage, self._began = "start", time.monotonic()

    def event(self, backend: str, seed: int, event: dict[str, Any]) -> None:  # noqa: ARG002 - one signature
        """A worker's event."""
        if event["event"] == "stage":
            self._worked(backend)
            self._end(backend)
            self._stage, self._began = event["text"], time.monotonic()
            print(f"{backend}: {self._stage}", flush=True)
        elif event["event"] == "note" and event["text"].endswith(_KNOWN):
            self._is_known = True

    def finish(self, backend: str, seed: int, error: ParedownError | None) -> None:  # noqa: ARG002 - one signature
        """A run ended; what failed did not take its time to the end."""
        if error is None and self._stage != "start":
            self._end(backend)
        self._is_known = False

    def _worked(self, backend: str) -> None:
        """Keeps which code worked on a run."""
        known = self.codes.setdefault(backend, [])
        if self._code not in known:
            known.append(self._code)
            files.write_json(self._out / CODE, self.codes)

    def _end(self, backend: str) -> None:
        """Keeps the time of the stage that was on."""
        stage = BASELINE[self._is_known] if self._stage == BASELINE[0] else self._stage
        self._is_known = False
        self.seconds.setdefault(backend, {})[stage] = round(time.monotonic() - self._began, 1)
        files.write_json(self._out / SECONDS, self.seconds)


def _known(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = files.read_json(path) if path.is_file() else {}
    return found
