"""paredown's own quantization, by the engine's own parts: after training, and during it."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import onnx
from cells import BATCH, QAT, QAT_TRAIN, SAMPLES, Cell, spec
from subject import Subject

from paredown import files
from paredown.deploy.canonical.graph import with_arrays
from paredown.deploy.files import to_bytes
from paredown.deploy.points import make_plan
from paredown.deploy.writing import write_quantized
from paredown.engine import exporting, quantization
from paredown.engine.stepping import StepInput
from paredown.engine.steps import perform
from paredown.plan import DistillPlan
from paredown.spec.loader import load_spec
from paredown.spec.models import QuantizeStep

_CALIBRATION = {"samples": SAMPLES, "batch_size": BATCH}


def quantize(subject: Subject, cell: Cell) -> tuple[dict[str, Any], Path, float]:
    """Quantizes after training: returns facts, the file and the seconds of calibrating, planning and writing."""
    graph = subject.exported.model
    observer = {"observer": {"kind": cell.setting}}
    step = _step(subject, {"kind": "quantize", "activations": observer, "calibration": _CALIBRATION})
    assert isinstance(step, QuantizeStep)
    start = perf_counter()
    ranges = quantization.observe(subject.workbench, step, graph)
    plan = make_plan(graph, ranges, step, subject.workbench.spec.deploy.target)
    path = subject.directory / f"{cell.method}-{cell.setting}.onnx"
    files.write_bytes(path, to_bytes(write_quantized(graph, plan)))
    return {"points": len(plan.points), "left_float": plan.left_float}, path, perf_counter() - start


def train(subject: Subject, cell: Cell) -> tuple[dict[str, Any], Path, float]:
    """Trains with fake quantization, as a spec's `finetune` with `during` does."""
    workbench, model = subject.workbench, subject.bench.baseline()
    setting = QAT[cell.setting]
    inner = {
        "kind": "quantize",
        "mode": "qat",
        "weights": {"bits": setting["bits"]},
        "activations": {"observer": {"kind": "moving_average"}},
        "calibration": _CALIBRATION,
        **{name: setting[name] for name in ("learned", "protect") if name in setting},
    }
    training = {**QAT_TRAIN, "epochs": setting.get("epochs", QAT_TRAIN["epochs"])}
    step = _step(subject, {"kind": "finetune", "train": training, "during": [inner]})
    directory = subject.directory / f"{cell.method}-{cell.setting}"
    files.make_directory(directory)
    # A graph that an interrupted try left would be taken for this training's.
    (directory / exporting.FINAL).unlink(missing_ok=True)
    start = perf_counter()
    output = perform(workbench, step, StepInput(model, workbench.state(model), 0, directory))
    assert isinstance(output.plan, DistillPlan)
    assert output.plan.quantization is not None
    graph = with_arrays(onnx.load(directory / exporting.FINAL), output.corrected)
    path = directory / "quantized.onnx"
    files.write_bytes(path, to_bytes(write_quantized(graph, output.plan.quantization)))
    simulated = output.evidence["quantized"]["validation"]["top1"]
    return {"simulated_validation": simulated}, path, perf_counter() - start


def _step(subject: Subject, step: dict[str, Any]) -> Any:
    return load_spec(spec(subject.bench.network, [step]), subject.bench.manager.registry).steps[0]
