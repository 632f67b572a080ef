"""`make bench-slice`: the quickstart on Fashion-MNIST, 6,000 training images, `cnn`, both backends, three seeds.

Writes benchmarks/results/slice.json: per run the figures of baseline and candidates, and the mean difference of the
int8 file's top-1 to the baseline's, paired by seed, with its 95% interval (Student's t). Resumable: finished runs are
kept in out/bench-slice and not repeated.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

ROOT = Path(__file__).parents[1]
OUT = ROOT / "out" / "bench-slice"
RESULTS = ROOT / "benchmarks" / "results" / "slice.json"
SPEC = ROOT / "benchmarks" / "slice.yaml"
BOUND = 0.02
T_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}
"""Student's t for a two-sided 95% interval, by degrees of freedom."""


def main() -> int:
    """Runs what is missing, writes the results, prints the table; returns 1 when the bound is missed.

    A run is kept by its own journal, whose key holds spec and versions: nothing stale is counted.
    """
    command = [sys.executable, "-m", "paredown", "compare", str(SPEC), "--out", str(OUT)]
    done = subprocess.run(command, check=False)
    if done.returncode not in (0, 1):
        return done.returncode
    results = summarise(json.loads((OUT / "compare.json").read_text(encoding="utf-8")))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for name, one in results["backends"].items():
        print(
            f"{name}: int8 minus baseline top-1 {one['difference']:+.4f}"
            f" (95% interval {one['interval'][0]:+.4f} to {one['interval'][1]:+.4f}), bound -{BOUND}:"
            f" {'kept' if one['difference'] >= -BOUND else 'MISSED'}"
        )
    kept = [one["difference"] >= -BOUND for one in results["backends"].values()]
    return 0 if kept and all(kept) else 1


def summarise(comparison: dict[str, Any]) -> dict[str, Any]:
    """What is committed: small, with commit, versions and machine."""
    runs = comparison["runs"]
    names = list(dict.fromkeys(run["backend"] for run in runs))
    return {
        "commit": _commit(),
        "provenance": {run["backend"]: run["provenance"] for run in runs},
        "backends": {name: _backend([run for run in runs if run["backend"] == name]) for name in names},
        "failures": comparison["failures"],
    }


def _backend(runs: list[dict[str, Any]]) -> dict[str, Any]:
    int8 = [next(one for one in run["candidates"] if one["precision"] == "int8") for run in runs]
    differences = [
        one["metrics"]["top1"] - run["baseline"]["metrics"]["top1"] for one, run in zip(int8, runs, strict=True)
    ]
    centre = mean(differences)
    half = T_975[len(runs) - 1] * stdev(differences) / math.sqrt(len(runs)) if len(runs) > 1 else math.inf
    return {
        "difference": round(centre, 5),
        "interval": [round(centre - half, 5), round(centre + half, 5)],
        "runs": [{"seed": run["seed"], "baseline": run["baseline"], "candidates": run["candidates"]} for run in runs],
    }


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
