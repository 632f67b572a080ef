"""A network at half of its channels, quantized to static int8, in a process of its own.

    PYTHONPATH=tests python -m matrix.quantized BACKEND NETWORK RESULT.json

Writes what the deployed file computes beside its simulation and beside the float network, and what it stores.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from matrix.bench import MatrixBench, workbench
from matrix.cells import Cell

from paredown import files
from paredown.contracts import FloatArray
from paredown.deploy.files import to_bytes
from paredown.deploy.points import make_plan
from paredown.deploy.verify import run_file
from paredown.deploy.writing import write_quantized
from paredown.engine import coupling, exporting, pruning, quantization
from paredown.manager import Manager
from paredown.spec.components import MinMaxObserver
from paredown.spec.models import QuantizeActivations, QuantizeStep

STEP = QuantizeStep(activations=QuantizeActivations(observer=MinMaxObserver()))


def main(backend: str, name: str, result: Path) -> None:
    """Cuts, quantizes, compares, and writes the figures."""
    bench = workbench(Manager.discover(), Cell(name, backend))
    model = bench.build_lively()
    state = bench.state(model)
    plan = pruning.decide(bench, bench.spec.steps[0], model, state, coupling.find(bench, None, state)).plan
    files.write_json(result, _quantized(bench, bench.strengthen(bench.cut(model, plan).model)))


def _quantized(bench: MatrixBench, model: Any) -> dict[str, Any]:
    images = bench.split("test")[0]
    with tempfile.TemporaryDirectory(prefix="paredown-matrix-") as scratch:
        fp32, int8 = (Path(scratch) / name for name in ("fp32.onnx", "int8.onnx"))
        exported = exporting.canonical(bench, model, fp32)
        plan = make_plan(exported.model, quantization.observe(bench, STEP, exported.model), STEP, "vnni")
        files.write_bytes(int8, to_bytes(write_quantized(exported.model, plan)))
        simulated = bench.outputs(exporting.simulate(bench, exported.folded, plan, {}).model, "test")
        found, exact = (run_file(bench.runtime, path, images) for path in (int8, fp32))
        stored = {one.name: one.data_type for one in onnx.load(int8).graph.initializer}
        sizes = {path.stem: path.stat().st_size for path in (fp32, int8)}
    layers = [layer.name for layer in bench.layers(model) if layer.kind in ("conv", "linear")]
    float_layers = [name for name in layers if stored.get(f"{name}.weight") == onnx.TensorProto.FLOAT]
    return {
        "network": bench.source.name,
        "backend": bench.backend,
        "points": len(plan.points),
        "graph_only": sum(point.owner == "graph" for point in plan.points),
        "layers": len(layers),
        "silent": [name for name in float_layers if name not in plan.left_float],
        "left_float": plan.left_float,
        "bytes": sizes,
        "beside_simulation": _distance(found, simulated),
        "beside_float": _distance(found, exact),
        "agreement": float(np.mean(found.argmax(axis=1) == simulated.argmax(axis=1))),
    }


def _distance(found: FloatArray, expected: FloatArray) -> float:
    """The norm of the difference, by the norm of what the expected outputs of different images differ by."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected - expected.mean(axis=0)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
