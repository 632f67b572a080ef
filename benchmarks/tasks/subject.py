"""What the benchmark runs: for each task its example, what its baseline must reach, and what may be lost.

With `BENCH_SHORT` in the environment it is a rehearsal: one epoch on a few images, in a directory of its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paredown.spec.yaml_reader import read_yaml

ROOT = Path(__file__).parents[2]
IS_SHORT = "BENCH_SHORT" in os.environ
OUT = ROOT / "out" / ("bench-tasks-short" if IS_SHORT else "bench-tasks")

BACKENDS = ("torch", "paddle")
TRAINER = "torch"
"""The backend that trains every baseline, for both."""

MACS = 0.5
"""The greatest share of multiply-accumulates that the delivered file may keep."""

DROP = 0.03
"""The greatest loss of the primary metric, absolute, of the delivered file on the test images."""

SAME = 1e-3
"""The greatest difference of the baseline's metrics between the backends."""

BASELINE_SECONDS, REST_SECONDS = 45 * 60, 20 * 60
"""The time that a baseline may take, and everything after it on one backend, on two cores."""

THREADS = 1
"""What a run trains with: one thread, so that a busy machine costs its share and no more (two threads wait for each
other when one is held up), and two tasks may run side by side. A bound that holds so holds on both cores."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A task: its example, the least figures of a baseline that is worth compressing, perhaps another first step."""

    example: str
    least: Mapping[str, float]
    prune: Mapping[str, Any] | None = None

    def spec(self) -> dict[str, Any]:
        """The example, with one baseline for both backends; of few images and epochs in a rehearsal."""
        found: dict[str, Any] = dict(read_yaml((ROOT / "examples" / self.example).read_text("utf-8"), None).data)
        found |= {"backends": list(BACKENDS), "seeds": [0], "run": {"threads": THREADS}}
        found["baseline"] = found["baseline"] | {"train_on": TRAINER}
        if self.prune is not None:
            found["steps"] = [self.prune, *found["steps"][1:]]
        return _shortened(found) if IS_SHORT else found


SUBJECTS = {
    "classification": Subject(
        "quickstart.yaml",
        {"top1": 0.95},
        prune={"kind": "prune", "criterion": {"kind": "l2"}, "scope": "global", "keep": {"macs": MACS}, "round_to": 8},
    ),
    "semantic_segmentation": Subject("segmentation.yaml", {"miou": 0.8}),
    "detection": Subject("detection.yaml", {"ap50": 0.7, "map": 0.4}),
    "instance_segmentation": Subject("instances.yaml", {"ap50": 0.5}),
}


def _shortened(spec: dict[str, Any]) -> dict[str, Any]:
    few = {"limit": 320} if spec["data"]["kind"] == "digits" else {"count": {"train": 64, "validation": 32, "test": 32}}
    return spec | {
        "data": spec["data"] | few,
        "baseline": spec["baseline"] | {"epochs": 2, "batch_size": 16, "schedule": {"kind": "cosine"}},
        "steps": [_shortened_step(step) for step in spec["steps"]],
        "deploy": spec["deploy"] | {"max_metric_drop": 1.0},
    }


def _shortened_step(step: dict[str, Any]) -> dict[str, Any]:
    if "train" in step:
        step = step | {"train": step["train"] | {"epochs": 1, "batch_size": 16, "schedule": {"kind": "cosine"}}}
    criterion = step.get("criterion", {})
    return step | {"criterion": criterion | {"samples": 32}} if "samples" in criterion else step
