"""What every cell of a backend shares: the trained network, its float file, and the figures of a quantized file."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from bench import Bench  # benchmarks/pruning
from cells import BATCH, OUT, SAMPLES, Lane, work

from paredown import files
from paredown.algorithms.outputs import concatenated
from paredown.contracts import FloatArray, Runtime
from paredown.deploy.measure import measure_latency
from paredown.deploy.verify import run_file
from paredown.engine import exporting


class Subject:
    """One backend, one network, one seed."""

    def __init__(self, lane: Lane, network: str, seed: int) -> None:
        assert lane != "openvino"
        self.bench = Bench(lane, network, seed)
        self.workbench = self.bench.workbench
        self.directory = work(network, seed, lane)

    @cached_property
    def exported(self) -> exporting.Exported:
        """The folded network and its canonical float graph, which is what every quantizer of ONNX files is given."""
        return exporting.canonical(self.workbench, self.bench.baseline(), self.directory / "fp32.onnx")

    @property
    def fp32(self) -> Path:
        """The canonical float file."""
        self.exported  # noqa: B018 - reading it writes the file
        return self.directory / "fp32.onnx"

    @property
    def calibration(self) -> FloatArray:
        """The images that everybody calibrates on."""
        return self.workbench.split("train")[0][:SAMPLES]

    @cached_property
    def predicted(self) -> dict[str, Any]:
        """What the float network predicts for validation and test, in the framework."""
        model = self.bench.baseline()
        splits = {name: list(self.workbench.answers(model, name)) for name in ("validation", "test")}
        return {name: concatenated(answers).argmax(axis=1) for name, answers in splits.items()}

    def save_data(self) -> None:
        """Writes what the peer with an environment of its own needs, as arrays."""
        path = self.directory / "data.npz"
        files.make_directory(path.parent)
        arrays = {"train": self.calibration, "batch": np.asarray(BATCH)}
        for name in ("validation", "test"):
            images, labels = self.workbench.split(name)
            arrays |= {name: images, f"{name}_labels": labels, f"{name}_predicted": self.predicted[name]}
        np.savez(path, **arrays)

    def figures(self, runtime: Runtime, reference: Path, path: Path, seconds: float) -> dict[str, Any]:
        """Accuracy, agreement with the float network, bytes, and latency beside the float file in the same runtime."""
        found: dict[str, Any] = {}
        for name in ("validation", "test"):
            outputs = run_file(runtime, path, self.workbench.split(name)[0])
            labels = self.workbench.split(name)[1]
            found[name] = self.workbench.task.metrics(outputs, labels)["top1"]
            found[f"{name}_agreement"] = float(np.mean(outputs.argmax(axis=1) == self.predicted[name]))
        latency = measure_latency(runtime, [reference, path], self.workbench.input_shape)[1]
        labels = self.workbench.split("test")[1]
        return {
            "fp32": float(np.mean(self.predicted["test"] == labels)),
            **found,
            "bytes": sum(one.stat().st_size for one in runtime.files(path)),
            "fp32_bytes": sum(one.stat().st_size for one in runtime.files(reference)),
            "latency_ratio": latency.ratio,
            "latency_ms": latency.latency_ms,
            "seconds": round(seconds, 2),
            "file": str(path.relative_to(OUT)),
        }
