"""What the benchmark runs: networks, seeds, targets, methods, and one recipe for all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[2]
OUT = ROOT / "out" / "bench-pruning"

NETWORKS = ("resnet20", "mobilenet_v2_small")
SEEDS = (0, 1, 2)
TARGETS = (0.5, 0.25)
"""The shares of multiply-accumulates that are kept."""

SENSITIVITY_TARGET = 0.25
PILOT_SEED = 0
"""The seed on whose validation images the scope is chosen, once for everybody."""

Backend = Literal["torch", "paddle"]
Scope = Literal["local", "global"]
SCOPES: tuple[Scope, Scope] = ("local", "global")

CRITERIA = ("l2", "taylor", "fpgm")
"""Our criteria on torch, of which the best on validation is named; `random` is the control."""

ON_TORCH = (*CRITERIA, "random", "torch-pruning")
ON_PADDLE = ("l2", "paddleslim")

PACKAGES: Mapping[Backend, tuple[str, ...]] = {
    "torch": ("paredown", "torch", "torch-pruning"),
    "paddle": ("paredown", "paddlepaddle", "paddleslim"),
}

DATA = {"kind": "fashion_mnist", "limit": {"train": 6000, "validation": 1000, "test": 3000}}
_SGD = {"kind": "sgd", "momentum": 0.9, "weight_decay": 0.0005}
BASELINE = {"epochs": 4, "batch_size": 64, "optimizer": {**_SGD, "lr": 0.1}, "schedule": {"kind": "cosine"}}
RECOVERY = {"epochs": 1, "batch_size": 64, "optimizer": {**_SGD, "lr": 0.05}, "schedule": {"kind": "cosine"}}


@dataclass(frozen=True, slots=True)
class Cell:
    """One network, pruned one way and trained again: one figure of the benchmark.

    `method` is a criterion of ours, `l2+sensitivity`, or a peer: `torch-pruning`, `paddleslim`.
    """

    network: str
    seed: int
    backend: Backend
    method: str
    scope: Scope
    target: float

    @property
    def name(self) -> str:
        """A name that a reader of the directory understands."""
        return f"{self.network}-seed{self.seed}-{self.backend}-{self.method}-{self.scope}-{self.target}"

    @property
    def path(self) -> Path:
        """Where the result stands; another recipe or another version of a library is another file."""
        packages = {name: version(name) for name in PACKAGES[self.backend]}
        return OUT / "cells" / f"{self.name}-{digest([asdict(self), DATA, BASELINE, RECOVERY, packages])}.json"


def baseline_path(network: str, seed: int) -> Path:
    """Where the trained network that all cells of a network and a seed start from is kept."""
    packages = {name: version(name) for name in ("paredown", "torch")}
    return OUT / "baselines" / f"{network}-seed{seed}-{digest([DATA, BASELINE, packages])}.safetensors"


def digest(content: Any) -> str:
    """A short name for plain data."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def spec(network: str, steps: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The spec of a network on the benchmark's data."""
    return {
        "version": 1,
        "name": "bench-pruning",
        "task": {"kind": "classification"},
        "data": DATA,
        "model": {"kind": "zoo", "name": network, "num_classes": 10, "in_channels": 1, "input_size": [28, 28]},
        "baseline": BASELINE,
        "steps": list(steps),
        "deploy": {"runtime": {"kind": "onnxruntime"}},
        "run": {"device": "cpu", "threads": 1},
    }


def pilot() -> list[Cell]:
    """The cells that decide between the scopes: ours and the peer that knows both, on one seed."""
    return [
        Cell(network, PILOT_SEED, "torch", method, scope, target)
        for network in NETWORKS
        for target in TARGETS
        for method in ("l2", "torch-pruning")
        for scope in SCOPES
    ]


def trial(scope: Scope) -> list[Cell]:
    """All cells, once the scope is chosen.

    PaddleSlim gives every layer one ratio, which is the local scope: our l2 on Paddle runs with that scope always.
    """
    cells = []
    for network in NETWORKS:
        for seed in SEEDS:
            for target in TARGETS:
                cells += [Cell(network, seed, "torch", method, scope, target) for method in ON_TORCH]
                cells += [Cell(network, seed, "paddle", method, "local", target) for method in ON_PADDLE]
            # Measured sensitivity shares out ratios, so it stands beside the uniform ratio: both local.
            cells += [
                Cell(network, seed, "torch", method, "local", SENSITIVITY_TARGET) for method in ("l2", "l2+sensitivity")
            ]
    return list(dict.fromkeys(cells))
