"""Two processes at once, one thread each, torch and paddle never in one."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from cells import ENVIRONMENT, OUT

LANES = 2


@dataclass(frozen=True, slots=True)
class Job:
    """One process: its command, what it reads on standard input as JSON, and what its log is called."""

    name: str
    command: tuple[str, ...]
    request: Any


def run(jobs: Sequence[Job]) -> None:
    """Runs all jobs; one that fails is raised when the others are done, an interrupt at once."""
    with ThreadPoolExecutor(LANES) as lanes:
        running = [lanes.submit(_process, job) for job in jobs]
        try:
            wait(running)
        except KeyboardInterrupt:
            lanes.shutdown(wait=False, cancel_futures=True)
            raise
    for one in running:
        one.result()


def answer(job: Job) -> Any:
    """Runs one job alone; gives the last line that it prints, as JSON."""
    return json.loads(_process(job, stdout=subprocess.PIPE).splitlines()[-1])


def _process(job: Job, stdout: int | None = None) -> str:
    """Runs one job in a process of its own; what frameworks have to say goes to a log."""
    log = OUT / f"{job.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as errors:
        done = subprocess.run(
            job.command,
            input=json.dumps(job.request),
            stdout=stdout,
            stderr=errors,
            text=True,
            check=False,
            env={**os.environ, **ENVIRONMENT},
        )
    if done.returncode:
        raise RuntimeError(f"{job.name} failed ({done.returncode}): see {log}")
    return done.stdout or ""
