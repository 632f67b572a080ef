"""`make bench-pruning`: our pruning beside torch-pruning and PaddleSlim, same network, same MACs, same recovery.

Resumable: every finished cell is a file in out/bench-pruning and is not repeated. Two processes work at once, one
thread each, torch and paddle never in one. Writes benchmarks/results/pruning.json, benchmarks/results/pruning.md and
docs/images/bench-pruning.svg; returns 1 when a bound is not kept.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import figure
import table
from lanes import Job, Lanes
from settings import NETWORKS, OUT, ROOT, SEEDS, Backend, Cell, baseline_path, pilot, trial
from summary import choose_scope, so_far, summarise

from paredown import files

LANES = Lanes(OUT)
RESULTS = ROOT / "benchmarks" / "results"
PICTURE = ROOT / "docs" / "images" / "bench-pruning.svg"


def main() -> int:
    """Runs what is missing and writes the results."""
    start = time.monotonic()
    LANES.run([_job("torch", network, seed) for seed in SEEDS for network in NETWORKS if not _trained(network, seed)])
    tried = pilot()
    LANES.run(_jobs(tried))
    scope, validation = choose_scope([files.read_json(cell.path) for cell in tried])
    print(f"scope: {scope} {validation}")
    cells = trial(scope)
    LANES.run(_jobs(cells))
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
    ordered = sorted(missing.items(), key=lambda one: -sum(cell.target for cell in one[1]))
    return [_job(backend, network, seed, found) for (backend, network, seed, _), found in ordered]


def _job(backend: Backend, network: str, seed: int, cells: Sequence[Cell] = ()) -> Job:
    """One process: the cells of one backend, network and seed; without cells, the training of the baseline."""
    command = (sys.executable, str(Path(__file__).with_name("worker.py")), backend, network, str(seed))
    return Job(f"{backend}-{network}-seed{seed}", command, [asdict(cell) for cell in cells])


if __name__ == "__main__":
    if sys.argv[1:] == ["--so-far"]:
        write_so_far()
    else:
        sys.exit(main())
