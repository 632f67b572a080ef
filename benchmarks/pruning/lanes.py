"""Two processes at once, one thread each, torch and paddle never in one; for all benchmarks of trainings."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LANES = 2
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Job:
    """One process: its command, what it reads on standard input as JSON, and what its log is called."""

    name: str
    command: tuple[str, ...]
    request: Any


@dataclass(frozen=True, slots=True)
class Lanes:
    """Where logs go, and what processes find in their environment besides one thread."""

    logs: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, jobs: Sequence[Job]) -> None:
        """Runs all jobs; one that fails is raised when the others are done, an interrupt at once."""
        with ThreadPoolExecutor(LANES) as lanes:
            running = [lanes.submit(self._process, job) for job in jobs]
            try:
                wait(running)
            except KeyboardInterrupt:
                lanes.shutdown(wait=False, cancel_futures=True)
                raise
        for one in running:
            one.result()

    def answer(self, job: Job) -> Any:
        """Runs one job alone; gives the last line that it prints, as JSON."""
        return json.loads(self._process(job, stdout=subprocess.PIPE).splitlines()[-1])

    def _process(self, job: Job, stdout: int | None = None) -> str:
        """Runs one job in a process of its own; what frameworks have to say goes to a log."""
        log = self.logs / f"{job.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as errors:
            done = subprocess.run(
                job.command,
                input=json.dumps(job.request),
                stdout=stdout,
                stderr=errors,
                text=True,
                check=False,
                env={**os.environ, **ONE_THREAD, **self.environment},
            )
        if done.returncode:
            raise RuntimeError(f"{job.name} failed ({done.returncode}): see {log}")
        return done.stdout or ""
