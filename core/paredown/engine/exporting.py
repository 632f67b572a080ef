"""From a network in a framework to the canonical graph, and from the graph to a quantization plan and back."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paredown import files
from paredown.algorithms.fold import find_folds
from paredown.algorithms.outputs import relative_difference
from paredown.contracts import ExportRequest, Fold, Model, Outcome, State
from paredown.engine.workbench import Workbench
from paredown.errors import DeployError
from paredown.plan import QuantPlan

BASELINE = "onnx/baseline-fp32.onnx"
FINAL = "onnx/fp32.onnx"
FOLD_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Exported:
    """A network folded in the framework, and its canonical graph (an `onnx.ModelProto`)."""

    folded: Model
    folds: tuple[Fold, ...]
    model: Any


def folded(bench: Workbench, model: Model) -> tuple[Model, tuple[Fold, ...]]:
    """A copy with BatchNorm folded, checked on validation images against the original.

    Raises:
        DeployError: When folding changed what the network computes.
    """
    folds = find_folds(bench.layers(model))
    copy = bench.manager.fold(bench.backend, model, folds)
    images = bench.split("validation")[0][:32]
    before = bench.manager.evaluate(bench.backend, model, images)
    after = bench.manager.evaluate(bench.backend, copy, images)
    difference = relative_difference(after, before)
    if not difference <= FOLD_TOLERANCE:
        raise DeployError(
            "folding BatchNorm changed the network's outputs",
            where=f"backend {bench.backend}",
            value=f"{difference:.2e} of the output's scale",
            expected=f"at most {FOLD_TOLERANCE:.0e}",
            remedy="report this network: a convolution whose output is read twice cannot be folded",
        )
    return copy, folds


def canonical(bench: Workbench, model: Model, path: Path) -> Exported:
    """The canonical graph of a network, written to `path`; a file that stands there already is taken as it is."""
    import onnx

    from paredown.deploy.canonical import canonicalize
    from paredown.deploy.files import to_bytes

    copy, folds = folded(bench, model)
    files.make_directory(path.parent)
    if path.is_file():
        return Exported(copy, folds, onnx.load(path))
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as scratch:
        request = ExportRequest("onnx", Path(scratch) / "raw.onnx", bench.input_shape)
        written = bench.manager.export(bench.backend, copy, request)
        graph = canonicalize(onnx.load(request.path), written.names, list(bench.state(copy)))
    files.write_bytes(path, to_bytes(graph))
    return Exported(copy, folds, graph)


def simulate(bench: Workbench, folded: Model, plan: QuantPlan, corrected: State) -> Outcome:
    """The plan simulated in the framework, on a copy of the folded network that holds the corrected arrays."""
    copy = bench.manager.fold(bench.backend, folded, ())
    if corrected:
        copy = bench.manager.restore(bench.backend, copy, {**bench.state(copy), **corrected})
    return bench.manager.quantize(bench.backend, copy, plan)
