"""A detector that learns from its whole self where that detects objects: what a backend's loop makes of the loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from paredown.algorithms.detection import decode
from paredown.algorithms.initialization import draw
from paredown.algorithms.losses import box_imitation
from paredown.contracts import Array, FloatArray, Model, RunContext
from paredown.engine.stepping import StepInput
from paredown.engine.steps import perform
from paredown.engine.teaching.preparing import require_lessons
from paredown.engine.workbench import Workbench
from paredown.manager import Manager
from paredown.spec.loader import load_spec

TAPS = ("smooth4", "smooth8")
LOSS = {"kind": "box_imitation", "background": 0.05, "taps": [{"student": name} for name in TAPS]}
SPEC: dict[str, Any] = {
    "version": 1,
    "name": "guided",
    "task": {"kind": "detection"},
    "data": {
        "kind": "digit_scenes",
        "target": "detection",
        "size": 32,
        "objects": [1, 2],
        "count": {"train": 8, "validation": 4, "test": 1},
    },
    "model": {
        "kind": "zoo",
        "name": "fcos_mobilenet_v2_small",
        "num_classes": 10,
        "in_channels": 1,
        "input_size": [32, 32],
    },
    "steps": [
        {
            "kind": "distill",
            "losses": [LOSS, {"kind": "hard_label", "weight": 1e-9}],
            "train": {"epochs": 1, "batch_size": 8, "optimizer": {"kind": "sgd", "lr": 0.01}},
        }
    ],
    "deploy": {"runtime": {"kind": "onnxruntime"}},
    "run": {"threads": 1},
}

Watched = Callable[[Model, FloatArray, bool], tuple[tuple[Array, ...], list[Array]]]
"""Runs a network on images, in training mode or not; gives its outputs, and the outputs of the layers `TAPS`."""


def first_loss(backend: str, watched: Watched, directory: Path) -> tuple[float, float]:
    """What the step of the spec says of its only batch, and what the reference in NumPy makes of both networks."""
    manager = Manager.discover()
    context = RunContext(seed=0, device="cpu", base_dir=directory)
    bench = Workbench(manager, backend, load_spec(SPEC | {"backends": [backend]}, manager.registry), context)
    require_lessons(bench)
    whole, other = (draw(bench.state(bench.build()), seed) for seed in (0, 1))
    student = bench.build(state=other)
    (_, epoch), images = bench.epochs(8, 1), bench.split("train")[0]
    batch = next(iter(epoch(0)))[0]
    assert batch.shape == images[:].shape
    outputs, maps = watched(bench.build(state=whole), batch, False)
    _, own = watched(bench.build(state=other), batch, True)
    # Half of what would be detected counts, as if the teacher were trained.
    scores = np.concatenate([one.scores for one in decode(outputs, (32, 32), least_score=0.0, overlap=0.6, most=20)])
    least_score = float(np.median(scores))
    options = LOSS | {"image_size": [32, 32], "least_score": least_score}
    expected, plain = (
        box_imitation(own, (maps, outputs), None, options | {"background": one}) for one in (LOSS["background"], 1.0)
    )
    assert abs(expected - plain) > 1e-3 * plain, "the weights say nothing"
    step = bench.spec.steps[0]
    guided = step.losses[0].model_copy(update={"least_score": least_score})
    step = step.model_copy(update={"losses": (guided, *step.losses[1:])})
    done = perform(bench, step, StepInput(student, whole, 0, directory))
    return done.evidence["loss"][0], expected
