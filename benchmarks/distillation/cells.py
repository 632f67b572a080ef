"""What the benchmark runs: students alone and under a teacher, by every loss, on both backends, and a peer's losses.

With `BENCH_SHORT` in the environment it is a rehearsal: one epoch on a tenth of the images, in a directory of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks" / "pruning"))  # its trained networks and its statistics

import settings  # noqa: E402 - found by the line above
from settings import SEEDS, Backend, baseline_path, digest  # noqa: E402

IS_SHORT = "BENCH_SHORT" in os.environ
OUT = ROOT / "out" / ("bench-distillation-short" if IS_SHORT else "bench-distillation")
VENV = ROOT / "out" / "bench-distillation" / "venv-torchdistill"
ENVIRONMENT = {"PAREDOWN_CACHE": str(OUT / "cache")}
"""What every process of the benchmark sees."""

Lane = Literal["torch", "paddle", "torchdistill"]
"""The process that a cell runs in: a backend's, or that of the peer with an environment of its own."""

_LIMIT = {"train": 640, "validation": 200, "test": 200}
DATA: Mapping[str, Any] = {"kind": "fashion_mnist", "limit": _LIMIT} if IS_SHORT else settings.DATA
_EPOCHS = {"epochs": 1} if IS_SHORT else {}
TRAIN: Mapping[str, Any] = {
    "epochs": 3,
    "batch_size": 64,
    "optimizer": {"kind": "sgd", "momentum": 0.9, "weight_decay": 0.0005, "lr": 0.1},
    "schedule": {"kind": "cosine"},
} | _EPOCHS
"""The budget of `cnn`, alone or taught."""
TEACHER = "resnet20"
TEACHER_TRAIN: Mapping[str, Any] = settings.BASELINE | _EPOCHS

STUDENTS: Mapping[str, Mapping[str, Any]] = {
    "cnn": {"name": "cnn"},
    "mobilenet_v2": {"name": "mobilenet_v2", "width": 0.5},
}
TRAINS: Mapping[str, Mapping[str, Any]] = {
    "cnn": TRAIN,
    "mobilenet_v2": {**TRAIN, "optimizer": {"kind": "adamw", "lr": 0.003}},
}
"""The budget of every student; `mobilenet_v2` does not learn by the optimizer of `cnn` in three epochs."""

ALONE = "alone"
_STAGES = (("relu1", "layer1"), ("relu2", "layer2"), ("relu3", "layer3"))
_SHIFTED = (("relu1", "layer2"), ("relu2", "layer3"))
"""Pairs of equal channels, 32 and 64, which `fsp` needs."""


def _taps(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"taps": [{"student": student, "teacher": teacher} for student, teacher in pairs]}


LOSSES: Mapping[str, Mapping[str, Any]] = {
    "kl": {"temperature": 4.0},
    "soft_cross_entropy": {"temperature": 4.0},
    "mse": {},
    "dkd": {"alpha": 1.0, "beta": 8.0, "temperature": 4.0},
    "dist": {"beta": 2.0, "gamma": 2.0, "temperature": 1.0},
    "feature_l2": _taps(*_STAGES),
    "attention": _taps(*_STAGES),
    "cwd": {**_taps(_STAGES[-1]), "temperature": 4.0},
    "fsp": _taps(*_SHIFTED),
    "similarity": _taps(_STAGES[-1]),
    "rkd": {**_taps(("flatten", "flatten")), "distance": 1.0, "angle": 2.0},
}
"""What stands beside `hard_label` of weight 1: options of the papers, and the layers of `cnn` and of the teacher."""

WEIGHTS: Mapping[str, tuple[float, float, float]] = {
    "kl": (0.5, 1.0, 2.0),
    "soft_cross_entropy": (0.5, 1.0, 2.0),
    "mse": (0.1, 0.3, 1.0),
    "dkd": (0.25, 0.5, 1.0),
    "dist": (0.5, 1.0, 2.0),
    "feature_l2": (0.1, 1.0, 10.0),
    "attention": (1.5, 5.0, 15.0),
    "cwd": (1.0, 7.0, 50.0),
    "fsp": (0.1, 1.0, 10.0),
    "similarity": (100.0, 1000.0, 3000.0),
    "rkd": (1.0, 5.0, 25.0),
}
"""The three tries for each weight; the papers' is the last of `dkd`, `attention` (1000 by about 200 positions, times
three pairs), `cwd`, `similarity` and `rkd`, and the middle one of `kl` and `dist`."""
PILOT_SEED = 0
"""The seed on whose validation images the weights are chosen, for `cnn` on torch; all other cells take them over."""

ON_PADDLE = ("kl", "feature_l2")
PEER_LOSSES = ("kl", "feature_l2", "attention")
TORCHDISTILL = ("torchdistill==1.1.5", "numpy==1.26.4")
"""What the peer's environment holds besides paredown; PyTorch is there in the version of this environment."""

PACKAGES: Mapping[Lane, tuple[str, ...]] = {
    "torch": ("paredown", "torch", "onnxruntime"),
    "paddle": ("paredown", "paddlepaddle", "onnxruntime"),
    "torchdistill": ("paredown", "torch"),
}

BOUND = -0.5
"""Points of top-1: our mean difference to torchdistill, with its 95% interval, is not below this."""
SPEED_PAIRS = 3
SPEED_BOUND = 1.3
"""How much faster a student learns from soft labels of the cache than under a teacher that runs."""
OVERHEAD_BOUND = 1.1
"""How much longer our loop takes than the same loop by hand."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One student, trained one way from one seed: one figure of the benchmark.

    `loss` is `alone` or a kind of loss that stands beside `hard_label` with `weight`. `teacher` is the framework that
    trained the teacher, with `.onnx` where the teacher is its ONNX file; empty where nobody teaches.
    """

    lane: Lane
    student: str
    seed: int
    loss: str
    teacher: str = ""
    weight: float = 0.0

    @property
    def name(self) -> str:
        """A name that a reader of the directory understands."""
        taught = f"-{self.weight:g}-by-{self.teacher}" if self.teacher else ""
        return f"{self.student}-seed{self.seed}-{self.lane}-{self.loss}{taught}"

    @property
    def options(self) -> Mapping[str, Any]:
        """All that the loss stands for."""
        return LOSSES.get(self.loss, {})

    @property
    def path(self) -> Path:
        """Where the result stands; another recipe or another version of a library is another file."""
        packages = {name: version(name) for name in PACKAGES[self.lane]}
        extra = TORCHDISTILL if self.lane == "torchdistill" else ()
        recipe = [STUDENTS[self.student], dict(self.options), DATA, TRAINS[self.student], TEACHER_TRAIN]
        return OUT / "cells" / f"{self.name}-{digest([asdict(self), recipe, packages, extra])}.json"


def teacher_path(lane: Backend, seed: int, suffix: str = ".safetensors") -> Path:
    """Where a trained teacher, its ONNX file (`.onnx`) or its accuracy (`.json`) is kept.

    Torch's weights are those that benchmarks/pruning trained.
    """
    if lane == "torch" and suffix == ".safetensors" and not IS_SHORT:
        return baseline_path(TEACHER, seed)
    packages = {name: version(name) for name in PACKAGES[lane]}
    return OUT / "teachers" / f"{lane}-{TEACHER}-seed{seed}-{digest([DATA, TEACHER_TRAIN, packages])}{suffix}"


def spec(network: Mapping[str, Any], steps: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The spec of a network on the benchmark's data."""
    return {
        "version": 1,
        "name": "bench-distillation",
        "task": {"kind": "classification"},
        "data": DATA,
        "model": {"kind": "zoo", "num_classes": 10, "in_channels": 1, "input_size": [28, 28], **network},
        "baseline": TEACHER_TRAIN,
        "steps": list(steps),
        "deploy": {"runtime": {"kind": "onnxruntime"}},
        "run": {"device": "cpu", "threads": 1},
    }


def step(cell: Cell) -> dict[str, Any]:
    """The step of a spec that a cell is."""
    if cell.loss == ALONE:
        return {"kind": "finetune", "train": TRAINS[cell.student]}
    losses = [{"kind": "hard_label"}, {"kind": cell.loss, "weight": cell.weight, **cell.options}]
    return {"kind": "distill", "train": TRAINS[cell.student], "teacher": _teacher(cell), "losses": losses}


def _teacher(cell: Cell) -> dict[str, Any]:
    lane: Backend = "paddle" if cell.teacher.startswith("paddle") else "torch"
    if cell.teacher.endswith(".onnx"):
        return {"kind": "onnx", "path": str(teacher_path(lane, cell.seed, ".onnx"))}
    return {"kind": "zoo", "name": TEACHER, "weights": str(teacher_path(lane, cell.seed))}


def pilot() -> list[Cell]:
    """The cells that choose the weight of each loss."""
    return [
        Cell("torch", "cnn", PILOT_SEED, loss, "torch", weight) for loss, tries in WEIGHTS.items() for weight in tries
    ]


def trial(weights: Mapping[str, float]) -> list[Cell]:
    """All cells, once the weights are chosen; what is compared stands in pairs of one seed."""
    cells = []
    for seed in SEEDS:
        cells += [Cell(lane, "cnn", seed, ALONE) for lane in ("torch", "paddle")]
        cells += [Cell("torch", "cnn", seed, loss, "torch", weights[loss]) for loss in LOSSES]
        cells += [Cell("paddle", "cnn", seed, loss, "torch", weights[loss]) for loss in ON_PADDLE]
        cells.append(Cell("paddle", "cnn", seed, "kl", "torch.onnx", weights["kl"]))
        cells.append(Cell("torch", "cnn", seed, "kl", "paddle.onnx", weights["kl"]))
        cells.append(Cell("torch", "mobilenet_v2", seed, ALONE))
        cells.append(Cell("torch", "mobilenet_v2", seed, "kl", "torch", weights["kl"]))
        cells += [Cell("torchdistill", "cnn", seed, loss, "torch", weights[loss]) for loss in PEER_LOSSES]
    return cells
