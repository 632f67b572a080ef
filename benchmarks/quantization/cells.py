"""What the benchmark runs: the trained networks of benchmarks/pruning, quantized by us and by others."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks" / "pruning"))  # its trained networks and its statistics

from settings import BASELINE, DATA, NETWORKS, SEEDS, baseline_path, digest, spec  # noqa: E402 - found by the line above

OUT = ROOT / "out" / "bench-quantization"
VENV = OUT / "venv-openvino"

Lane = Literal["torch", "paddle", "openvino"]
"""The process that a cell runs in: a backend's, or that of the peer with an environment of its own."""

PACKAGES: Mapping[Lane, tuple[str, ...]] = {
    "torch": ("paredown", "torch", "onnxruntime"),
    "paddle": ("paredown", "paddlepaddle", "paddleslim", "onnxruntime"),
    "openvino": ("paredown",),
}
OPENVINO = ("openvino==2026.4.1", "nncf==3.4.0", "onnx==1.17.0", "numpy==1.26.4")
"""What NNCF's environment holds besides paredown; fixed, because it is not this environment's to ask."""

SAMPLES, BATCH = 256, 64
"""Calibration images, the first of the training split, the same for everybody."""

OBSERVERS = ("minmax", "moving_average", "percentile", "histogram", "entropy")
DEFAULT = "minmax"
"""The setting of ours that is compared with a peer's defaults."""

QUANTIZE_STATIC: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    **{
        f"u8s8-channel-reduced-{method.lower()}": {"best": True, "calibrate_method": method}
        for method in ("MinMax", "Entropy", "Percentile")
    },
}
"""ONNX Runtime's own quantizer; its documentation names these settings for CPUs without VNNI."""

NNCF: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "mixed": {"preset": "mixed"},
    "mixed-accurate": {"preset": "mixed", "fast_bias_correction": False},
}
QUANT_POST_STATIC = ("hist", "avg", "mse", "abs_max")
"""PaddleSlim's algorithms, its default first. KL took 450 s for one resnet20 and is left out."""

QAT_TRAIN = {
    "epochs": 1,
    "batch_size": 64,
    "optimizer": {"kind": "sgd", "momentum": 0.9, "weight_decay": 0.0001, "lr": 0.01},
    "schedule": {"kind": "cosine"},
}
QAT: Mapping[str, Mapping[str, Any]] = {
    "int8": {"bits": 8},
    "int4": {"bits": 4},
    "ternary": {"bits": 2},
    "ternary-learned": {"bits": 2, "learned": True},
    "ternary-learned-4-epochs": {"bits": 2, "learned": True, "epochs": 4},
    "ternary-depthwise-float": {"bits": 2, "protect": [{"types": ["depthwise"]}]},
}
"""Widths of weights, and the controls of what ternary weights lose: what else of the step or the training differs."""
QAT_BOUNDS = {"int4": -1.0, "ternary": -3.0, "ternary-learned": -3.0, "ternary-learned-4-epochs": -3.0}
"""Points of top-1 against fp32 that quantization-aware training may lose."""
CONTROLS = ("ternary-learned", "ternary-learned-4-epochs", "ternary-depthwise-float")
QAT_ON: Mapping[Lane, tuple[str, ...]] = {
    "torch": ("int8", "int4", "ternary", *CONTROLS),
    "paddle": ("int8", "int4"),
}


def networks_of(setting: str) -> tuple[str, ...]:
    """The networks that a setting is for: `resnet20` has no depthwise convolutions to leave in float."""
    return tuple(name for name in NETWORKS if (name, setting) != ("resnet20", "ternary-depthwise-float"))


SPEED_NETWORKS = ("resnet18", "mobilenet_v2")
SPEED_BOUND = 0.9
"""Of what a hand-made file of `quantize_static` gains over fp32."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One trained network, quantized one way: one figure of the benchmark.

    `method` is `paredown`, `paredown-qat`, `quantize_static`, `nncf`, `quant_post_static`, or `paredown-openvino`: our
    file of the default setting in OpenVINO.
    """

    network: str
    seed: int
    lane: Lane
    method: str
    setting: str

    @property
    def name(self) -> str:
        """A name that a reader of the directory understands."""
        return f"{self.network}-seed{self.seed}-{self.lane}-{self.method}-{self.setting}"

    @property
    def options(self) -> Any:
        """All that the setting stands for."""
        tables: Mapping[str, Mapping[str, Any]] = {
            "paredown-qat": {name: {**QAT_TRAIN, **weights} for name, weights in QAT.items()},
            "quantize_static": QUANTIZE_STATIC,
            "nncf": NNCF,
        }
        return tables.get(self.method, {}).get(self.setting)

    @property
    def path(self) -> Path:
        """Where the result stands; another recipe or another version of a library is another file."""
        packages = {name: version(name) for name in PACKAGES[self.lane]}
        extra = OPENVINO if self.lane == "openvino" else ()
        key = [asdict(self), self.options, DATA, BASELINE, SAMPLES, BATCH, packages, extra]
        return OUT / "cells" / f"{self.name}-{digest(key)}.json"


def work(network: str, seed: int, lane: Lane) -> Path:
    """Where the files of a network are made."""
    return OUT / "work" / f"{network}-seed{seed}" / lane


def after_training() -> list[Cell]:
    """The cells that quantize after training."""
    kinds: list[tuple[Lane, str, tuple[str, ...]]] = [
        ("torch", "paredown", OBSERVERS),
        ("paddle", "paredown", OBSERVERS),
        ("torch", "quantize_static", tuple(QUANTIZE_STATIC)),
        ("paddle", "quant_post_static", QUANT_POST_STATIC),
        ("openvino", "nncf", tuple(NNCF)),
        ("openvino", "paredown-openvino", (DEFAULT,)),
    ]
    return _cells(kinds)


def during_training() -> list[Cell]:
    """The cells that train with fake quantization."""
    cells = _cells([(lane, "paredown-qat", settings) for lane, settings in QAT_ON.items()])
    return [cell for cell in cells if cell.network in networks_of(cell.setting)]


def _cells(kinds: list[tuple[Lane, str, tuple[str, ...]]]) -> list[Cell]:
    return [
        Cell(network, seed, lane, method, setting)
        for network in NETWORKS
        for seed in SEEDS
        for lane, method, settings in kinds
        for setting in settings
    ]


__all__ = ["BASELINE", "DATA", "NETWORKS", "ROOT", "SEEDS", "Cell", "baseline_path", "digest", "spec"]
