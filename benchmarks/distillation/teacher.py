"""The teachers: `resnet20`, trained on one backend, kept in neutral names and as an ONNX file."""

from __future__ import annotations

from bench import Bench  # benchmarks/pruning
from cells import IS_SHORT, TEACHER, TEACHER_TRAIN, Backend, spec, teacher_path

from paredown import files
from paredown.algorithms.initialization import draw
from paredown.contracts import Model, RunContext
from paredown.engine import exporting
from paredown.engine.training import on_labels, plan_training, train
from paredown.engine.workbench import Workbench
from paredown.manager import Manager
from paredown.spec.loader import load_spec
from paredown.spec.models import BaselineConfig


def make_teacher(backend: Backend, seed: int) -> dict[str, float]:
    """Trains the teacher where it is not there yet, writes its ONNX file, and gives its accuracy."""
    manager = Manager.discover()
    checked = load_spec(spec({"name": TEACHER}), manager.registry)
    workbench = Workbench(manager, backend, checked, RunContext(seed=seed, device="cpu"))
    path = teacher_path(backend, seed)
    if not path.is_file():
        _train(workbench, backend, seed)
    model = workbench.build(state=files.read_state(path))
    exporting.canonical(workbench, model, teacher_path(backend, seed, ".onnx"))
    found = {name: workbench.metrics(model, name)["top1"] for name in ("validation", "test")}
    files.write_json(teacher_path(backend, seed, ".json"), {"backend": backend, "seed": seed, **found})
    return found


def _train(workbench: Workbench, backend: Backend, seed: int) -> None:
    if backend == "torch" and not IS_SHORT:
        Bench(backend, TEACHER, seed).train_baseline()
        return
    model: Model = workbench.build()
    model = workbench.manager.restore(backend, model, draw(workbench.state(model), seed))
    plan = plan_training(BaselineConfig.model_validate(TEACHER_TRAIN), on_labels(workbench))
    model = train(workbench, model, plan, salt=0).model
    files.write_state(teacher_path(backend, seed), workbench.state(model))
