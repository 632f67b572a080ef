"""`make bench-quantization`: our quantization beside ONNX Runtime's, NNCF's and PaddleSlim's, on the same networks.

Resumable: every finished cell is a file in out/bench-quantization and is not repeated. Two processes work at once, one
thread each, torch and paddle never in one; what measures speed alone runs alone, at the end. The trained networks are
those of benchmarks/pruning. Writes benchmarks/results/quantization.json and .md; returns 1 when a bound is not kept.

`--so-far` writes what an unfinished run holds; `--after-training` leaves the trainings out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import report
from cells import (
    DEFAULT,
    NETWORKS,
    OPENVINO,
    OUT,
    ROOT,
    SEEDS,
    SPEED_NETWORKS,
    VENV,
    Cell,
    Lane,
    after_training,
    baseline_path,
    digest,
    during_training,
    work,
)
from lanes import ONE_THREAD, Job, Lanes
from outcome import summarise

from paredown import files

LANES = Lanes(OUT)
HERE = Path(__file__).parent
RESULTS = ROOT / "benchmarks" / "results"


def main(arguments: Sequence[str]) -> int:
    """Runs what is missing and writes the results."""
    cells = after_training()
    if "--after-training" not in arguments:
        cells += during_training()
    if "--so-far" in arguments:
        _write(cells)
        return 0
    start = time.monotonic()
    missing = [(network, seed) for seed in SEEDS for network in NETWORKS if not baseline_path(network, seed).is_file()]
    LANES.run([_job("torch", network, seed, ()) for network, seed in missing])
    LANES.run(_jobs([cell for cell in cells if cell.lane != "openvino"]))
    nncf = [cell for cell in cells if cell.lane == "openvino"]
    if any(not cell.path.is_file() for cell in nncf):
        _make_environment()
        LANES.run(_sources(nncf))
        LANES.run(_jobs(nncf))
    for network in SPEED_NETWORKS:
        if not _speed_path(network).is_file():
            _measure_speed(network)
    results = _write(cells)
    print(report.render(results))
    print(f"{(time.monotonic() - start) / 60:.1f} minutes")
    return 0 if all(verdict == "kept" for verdict in results["bounds"].values()) else 1


def _write(cells: Sequence[Cell]) -> dict[str, Any]:
    found = [files.read_json(cell.path) for cell in cells if cell.path.is_file()]
    speed = [files.read_json(_speed_path(network)) for network in SPEED_NETWORKS if _speed_path(network).is_file()]
    results = summarise(found, speed, wanted=len(cells))
    files.write_json(RESULTS / "quantization.json", results)
    files.write_text(RESULTS / "quantization.md", report.render(results))
    return results


def _jobs(cells: Sequence[Cell]) -> list[Job]:
    """What is missing, by lane, network and seed, training apart; the slow first, so that both lanes end together."""
    missing: dict[tuple[Lane, str, int, bool], list[Cell]] = {}
    for cell in cells:
        if not cell.path.is_file():
            key = (cell.lane, cell.network, cell.seed, cell.method == "paredown-qat")
            missing.setdefault(key, []).append(cell)
    ordered = sorted(missing.items(), key=lambda one: (not one[0][3], one[0][0] != "paddle"))
    return [_job(lane, network, seed, tuple(found)) for (lane, network, seed, _), found in ordered]


def _sources(cells: Sequence[Cell]) -> list[Job]:
    """The torch lane's first cell again, where NNCF is to start from its files and they are gone."""
    wanted = {(cell.network, cell.seed) for cell in cells if not cell.path.is_file()}
    return [
        _job("torch", network, seed, (Cell(network, seed, "torch", "paredown", DEFAULT),))
        for network, seed in sorted(wanted)
        if not (work(network, seed, "torch") / "data.npz").is_file()
    ]


def _job(lane: Lane, network: str, seed: int, cells: tuple[Cell, ...]) -> Job:
    """One process: the cells of one lane, network and seed; without cells, the training of the baseline."""
    name = f"{lane}-{network}-seed{seed}"
    if lane != "openvino":
        command = (sys.executable, str(HERE / "worker.py"), lane, network, str(seed))
        return Job(name, command, [asdict(cell) for cell in cells])
    source = work(network, seed, "torch")
    request = {
        "source": str(source),
        "out": str(work(network, seed, lane)),
        "cells": [
            {
                "cell": asdict(cell),
                "options": cell.options,
                "path": str(cell.path),
                "ours": str(source / f"paredown-{DEFAULT}.onnx") if cell.method == "paredown-openvino" else None,
            }
            for cell in cells
        ],
    }
    return Job(name, (str(VENV / "bin" / "python"), str(HERE / "by_nncf.py")), request)


def _make_environment() -> None:
    """NNCF's environment: OpenVINO, NNCF, and paredown without a framework."""
    stamp = VENV / f".installed-{digest(OPENVINO)}"
    if stamp.is_file():
        return
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)], check=True)
    python = str(VENV / "bin" / "python")
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "-e", str(ROOT), *OPENVINO], check=True)
    stamp.touch()


def _speed_path(network: str) -> Path:
    return OUT / "speed" / f"{network}.json"


def _measure_speed(network: str) -> None:
    done = subprocess.run(
        [sys.executable, str(HERE / "speed.py"), network],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ONE_THREAD},
    )
    if done.returncode:
        raise RuntimeError(f"speed of {network} failed: {done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    files.write_json(_speed_path(network), found)
    print(f"{network}: gain {found['gains']['paredown']:.2f}, by hand {found['gains']['by_hand']:.2f}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
