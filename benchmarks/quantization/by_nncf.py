"""NNCF in OpenVINO, in an environment of its own: cells on standard input as JSON, see `main`.

It is given the canonical float file and the images as arrays, so that it needs no framework.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from paredown import files
from paredown.deploy.measure import measure_latency
from paredown.deploy.verify import run_file
from paredown_openvino.config import OpenVinoConfig
from paredown_openvino.runtime import OpenVino


def main() -> None:
    """Answers `{"source", "out", "cells": [{"cell", "options", "path", "ours"}]}`: writes a result for each cell.

    `source` is the directory of the torch lane (fp32.onnx, data.npz), `out` where files go; `ours` names our own file,
    which is then run as it is.
    """
    request = json.load(sys.stdin)
    source, out = Path(request["source"]), Path(request["out"])
    data = dict(np.load(source / "data.npz"))
    for one in request["cells"]:
        if one["ours"]:
            path, seconds = Path(one["ours"]), 0.0
        else:
            path, seconds = _quantize(source / "fp32.onnx", data, one["options"] or {}, out / one["cell"]["setting"])
        figures = _figures(source / "fp32.onnx", path, data, seconds)
        files.write_json(Path(one["path"]), {"cell": one["cell"], **figures, "how": one["options"] or {}})
        print(f"{Path(one['path']).stem}: test {figures['test']:.4f} (fp32 {figures['fp32']:.4f})", flush=True)


def _quantize(fp32: Path, data: dict[str, Any], options: dict[str, Any], directory: Path) -> tuple[Path, float]:
    import nncf
    import openvino

    directory.mkdir(parents=True, exist_ok=True)
    settings = dict(options)
    if "preset" in settings:
        settings["preset"] = nncf.QuantizationPreset(settings["preset"])
    model = openvino.Core().read_model(str(fp32))
    batch = int(data["batch"])
    batches = [data["train"][start : start + batch] for start in range(0, len(data["train"]), batch)]
    start = perf_counter()
    quantized = nncf.quantize(model, nncf.Dataset(batches), subset_size=len(batches), **settings)
    seconds = perf_counter() - start
    openvino.save_model(quantized, str(directory / "model.xml"), compress_to_fp16=False)
    return directory / "model.xml", seconds


def _figures(fp32: Path, path: Path, data: dict[str, Any], seconds: float) -> dict[str, Any]:
    runtime = OpenVino(OpenVinoConfig())
    found: dict[str, Any] = {"fp32": float(np.mean(data["test_predicted"] == data["test_labels"]))}
    for name in ("validation", "test"):
        predicted = run_file(runtime, path, data[name]).argmax(axis=1)
        found[name] = float(np.mean(predicted == data[f"{name}_labels"]))
        found[f"{name}_agreement"] = float(np.mean(predicted == data[f"{name}_predicted"]))
    shape = tuple(data["test"].shape[1:])
    latency = measure_latency(runtime, [fp32, path], shape)[1]
    return {
        **found,
        "bytes": sum(one.stat().st_size for one in runtime.files(path)),
        "fp32_bytes": fp32.stat().st_size,
        "latency_ratio": latency.ratio,
        "latency_ms": latency.latency_ms,
        "seconds": round(seconds, 2),
    }


if __name__ == "__main__":
    main()
