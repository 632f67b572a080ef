"""One network at 224 px, one thread: our int8 file and a hand-made one, each beside fp32, in alternation.

`speed.py NETWORK` prints the figures as JSON. Weights are drawn: speed does not depend on them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from by_quantize_static import quantize
from cells import OUT

from paredown.algorithms.fold import find_folds
from paredown.algorithms.initialization import draw
from paredown.contracts import ExportRequest, MeasureRequest, ModelSource, RunContext
from paredown.deploy.calibrate import calibrate
from paredown.deploy.canonical import canonicalize
from paredown.deploy.files import to_bytes
from paredown.deploy.measure import measure_latency
from paredown.deploy.points import make_plan
from paredown.deploy.writing import write_quantized
from paredown.manager import Manager
from paredown.spec.loader import load_spec

SHAPE = (3, 224, 224)
SECONDS, REPETITIONS = 20.0, 3
_STEP = {"kind": "quantize", "activations": {"observer": {"kind": "minmax"}}}


def main(network: str) -> None:
    """Makes the three files and measures them."""
    directory = OUT / "speed" / network
    directory.mkdir(parents=True, exist_ok=True)
    manager = Manager.discover()
    graph = _graph(manager, network, directory)
    images = np.random.default_rng(0).standard_normal((16, *SHAPE)).astype(np.float32)
    spec = load_spec(_spec(), manager.registry)
    step: Any = spec.steps[0]
    build = manager.registry.implementation("observer", "minmax")
    options = step.activations
    ranges = calibrate(
        graph,
        [images[:8], images[8:]],
        lambda: build(options.observer, bits=options.bits, symmetric=options.symmetric),
    )
    plan = make_plan(graph, ranges, step, spec.deploy.target)
    paths = [directory / f"{name}.onnx" for name in ("fp32", "paredown", "by-hand")]
    paths[0].write_bytes(to_bytes(graph))
    paths[1].write_bytes(to_bytes(write_quantized(graph, plan)))
    quantize(paths[0], paths[2], images, 8, {"best": True})
    runtime = manager.registry.implementation("runtime", "onnxruntime")(spec.deploy.runtime)
    found = [measure_latency(runtime, paths, SHAPE, seconds=SECONDS) for _ in range(REPETITIONS)]
    ours, hand = ([1 / files[which].ratio for files in found] for which in (1, 2))
    gains = {"paredown": float(np.median(ours)), "by_hand": float(np.median(hand))}
    print(
        json.dumps(
            {
                "network": network,
                "gains": gains,
                "share": float(np.median([mine / theirs for mine, theirs in zip(ours, hand, strict=True)])),
                "repetitions": {"paredown": ours, "by_hand": hand},
                "fp32_ms": [files[0].latency_ms for files in found],
                "rounds": [files[0].rounds for files in found],
                "bytes": {path.stem: path.stat().st_size for path in paths},
            }
        )
    )


def _graph(manager: Manager, network: str, directory: Path) -> Any:
    """The canonical float graph of the folded network with drawn weights."""
    source = ModelSource(network, 1000, SHAPE[0], (SHAPE[1], SHAPE[2]))
    model = manager.load_model("torch", source, RunContext(device="cpu"))
    model = manager.restore("torch", model, draw(manager.save("torch", model), 0))
    folds = find_folds(manager.measure("torch", model, MeasureRequest("layers", SHAPE)).layers)
    folded = manager.fold("torch", model, folds)
    written = manager.export("torch", folded, ExportRequest("onnx", directory / "raw.onnx", SHAPE))
    return canonicalize(onnx.load(directory / "raw.onnx"), written.names, list(manager.save("torch", folded)))


def _spec() -> dict[str, Any]:
    return {
        "version": 1,
        "name": "bench-speed",
        "task": {"kind": "classification"},
        "data": {"kind": "digits"},
        "model": {"kind": "zoo", "name": "cnn", "in_channels": 1, "input_size": [8, 8]},
        "steps": [_STEP],
        "deploy": {"runtime": {"kind": "onnxruntime"}},
    }


if __name__ == "__main__":
    main(sys.argv[1])
