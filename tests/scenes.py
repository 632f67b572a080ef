"""A workbench over scenes of digits, for tests of detectors. Imports no framework."""

from __future__ import annotations

from paredown.contracts import RunContext
from paredown.engine.workbench import Workbench
from paredown.manager import Manager
from paredown.spec.loader import load_spec


def scenes(name, task, base_dir, *, size, count, num_classes=10):
    """A workbench with so many training scenes of one side in pixels, and a short training."""
    manager = Manager.discover()
    counts = {"train": count, "validation": 1, "test": 1}
    spec = {
        "version": 1,
        "name": "scenes",
        "task": {"kind": task},
        "data": {"kind": "digit_scenes", "target": task, "size": size, "count": counts},
        "model": {
            "kind": "zoo",
            "name": name,
            "num_classes": num_classes,
            "in_channels": 1,
            "input_size": [size, size],
        },
        "baseline": {
            "epochs": 40,
            "batch_size": 4,
            "optimizer": {"kind": "adamw", "lr": 0.002},
            "schedule": {"kind": "cosine", "warmup_epochs": 2},
        },
        "deploy": {"runtime": {"kind": "onnxruntime"}},
    }
    return Workbench(manager, "torch", load_spec(spec, manager.registry), RunContext(seed=0, base_dir=base_dir))
