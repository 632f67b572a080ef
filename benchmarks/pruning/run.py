"""`make bench-pruning`: our pruning beside torch-pruning and PaddleSlim, same network, same MACs, same recovery.

Resumable: every finished cell is a file in out/bench-pruning and is not repeated. Two processes work at once, one
thread each, torch and paddle never in one. Writes benchmarks/results/pruning.json, benchmarks/results/pruning.md and
docs/images/bench-pruning.svg; returns 1 when a bound is not kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import figure
import table
from settings import NETWORKS, OUT, ROOT, SEEDS, Backend, Cell, baseline_path, pilot, trial
from summary import choose_scope, so_far, summarise

from paredown import files

LANES = 2
RESULTS = ROOT / "benchmarks" / "results"
PICTURE = ROOT / "docs" / "images" / "bench-pruning.svg"
_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Job:
    """One process: the cells of one backend, network and seed; without cells, the training of the baseline."""

    backend: Backend
    network: str
    seed: int
    cells: tuple[Cell, ...] = ()


def main() -> int:
    """Runs what is missing and writes the results."""
    start = time.monotonic()
    _run([Job("torch", network, seed) for seed in SEEDS for network in NETWORKS if not _trained(network, seed)])
    tried = pilot()
    _run(_jobs(tried))
    scope, validation = choose_scope([files.read_json(cell.path) for cell in tried])
    print(f"scope: {scope} {validation}")
    cells = trial(scope)
    _run(_jobs(cells))
    results = summarise([files.read_json(cell.path) for cell in cells], scope, validation)
    files.write_json(RESULTS / "pruning.json", results)
    files.write_text(RESULTS / "pruning.md", table.render(results))
    files.write_text(PICTURE, figure.draw(results))
    print(table.render(results))
    print(f"{(time.monotonic() - start) / 60:.1f} minutes")
    bounds = [one["bound"] for one in results["comparisons"].values() if "bound" in one]
    return 0 if all(bound == "kept" for bound in bounds) else 1


def write_so_far() -> None:
    """Writes what an unfinished run holds, marked as such: `run.py --so-far`."""
    cells = list(dict.fromkeys([*pilot(), *trial("global")]))
    found = [files.read_json(cell.path) for cell in cells if cell.path.is_file()]
    files.write_json(RESULTS / "pruning.json", so_far(found, len(cells)))


def _trained(network: str, seed: int) -> bool:
    return baseline_path(network, seed).is_file()


def _jobs(cells: Sequence[Cell]) -> list[Job]:
    """What is missing, by backend, network, seed and target; the slow ones first, so that both lanes end together."""
    missing: dict[tuple[Backend, str, int, float], list[Cell]] = {}
    for cell in cells:
        if not cell.path.is_file():
            missing.setdefault((cell.backend, cell.network, cell.seed, cell.target), []).append(cell)
    jobs = [Job(backend, network, seed, tuple(found)) for (backend, network, seed, _), found in missing.items()]
    return sorted(jobs, key=lambda job: -sum(cell.target for cell in job.cells))


def _run(jobs: Sequence[Job]) -> None:
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


def _process(job: Job) -> None:
    """Runs one job in a process of its own; what frameworks have to say goes to a log."""
    log = OUT / f"{job.backend}-{job.network}-seed{job.seed}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(Path(__file__).with_name("worker.py")), job.backend, job.network, str(job.seed)]
    given: list[dict[str, Any]] = [asdict(cell) for cell in job.cells]
    with log.open("a", encoding="utf-8") as errors:
        done = subprocess.run(
            command, input=json.dumps(given), stderr=errors, text=True, check=False, env={**os.environ, **_THREADS}
        )
    if done.returncode:
        raise RuntimeError(f"{job.backend} {job.network} seed {job.seed} failed ({done.returncode}): see {log}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--so-far"]:
        write_so_far()
    else:
        sys.exit(main())
