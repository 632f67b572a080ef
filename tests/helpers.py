"""Small specs and ways to run the command, shared by tests of several directories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "examples" / "quickstart.yaml"

PRUNE = {"kind": "prune", "criterion": {"kind": "l2"}, "scope": "global", "ratio": 0.5}
DISTILL = {
    "kind": "distill",
    "losses": [{"kind": "kl", "temperature": 4.0, "weight": 0.7}, {"kind": "hard_label", "weight": 0.3}],
    "train": {"epochs": 1, "batch_size": 64, "optimizer": {"kind": "sgd", "lr": 0.05}},
}
FINETUNE = {"kind": "finetune", "train": DISTILL["train"]}
QUANTIZE = {"kind": "quantize", "activations": {"observer": {"kind": "minmax"}}, "calibration": {"samples": 128}}


def small_spec(**changes: Any) -> dict[str, Any]:
    """`cnn` on 320 digits: seconds a run; every step kind of version 1 stands in it."""
    return {
        "version": 1,
        "name": "small",
        "task": {"kind": "classification"},
        "data": {"kind": "digits", "limit": 320},
        "model": {"kind": "zoo", "name": "cnn", "num_classes": 10, "in_channels": 1, "input_size": [8, 8]},
        "baseline": {"epochs": 2, "batch_size": 32},
        "steps": [PRUNE, DISTILL, FINETUNE, QUANTIZE],
        "deploy": {"runtime": {"kind": "onnxruntime"}, "prefer": "size", "max_metric_drop": 0.2},
        "run": {"threads": 1},
        "backends": ["torch"],
        "seeds": [0],
    } | changes


def write_spec(path: Path, spec: dict[str, Any]) -> Path:
    """Writes a spec as YAML and returns its path."""
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    return path


def paredown(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "paredown", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
    )


def paredown_json(*arguments: object, env: dict[str, str] | None = None) -> Any:
    """The command's JSON; fails with the command's errors when it gave none."""
    done = paredown(*arguments, "--json", env=env)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)
