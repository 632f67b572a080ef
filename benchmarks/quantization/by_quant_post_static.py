"""PaddleSlim's quantizer by hand, in Paddle Inference."""

from __future__ import annotations

import shutil
from pathlib import Path
from time import perf_counter
from typing import Any

from cells import BATCH, Cell
from subject import Subject

from paredown.contracts import ExportRequest
from paredown_paddle_inference.config import PaddleInferenceConfig
from paredown_paddle_inference.runtime import PaddleInference


def quantize(subject: Subject, cell: Cell) -> tuple[dict[str, Any], PaddleInference, Path, Path, float]:
    """Returns the settings, the runtime, the float and the quantized directory, and the seconds of PaddleSlim."""
    config = PaddleInferenceConfig.model_validate({"kind": "paddle_inference", "algorithm": cell.setting})
    runtime = PaddleInference(config)
    reference = _exported(subject, runtime.format)
    source = _exported(subject, runtime.quantizes)
    target = subject.directory / f"{cell.method}-{cell.setting}"
    shutil.rmtree(target, ignore_errors=True)  # of an interrupted try
    start = perf_counter()
    settings = runtime.quantize(source, target, subject.calibration, batch_size=BATCH)
    return dict(settings), runtime, reference, target, perf_counter() - start


def _exported(subject: Subject, form: str) -> Path:
    """The folded network in a format of Paddle's; made once."""
    path = subject.directory / form
    if not path.is_dir():
        bench = subject.workbench
        bench.manager.export(bench.backend, subject.exported.folded, ExportRequest(form, path, bench.input_shape))
    return path
