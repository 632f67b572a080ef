"""Deploying as ONNX: the canonical graph of each network, and the plan's file beside it."""

from __future__ import annotations

from pathlib import Path

from paredown import files
from paredown.algorithms import counting
from paredown.contracts import Model
from paredown.engine import exporting
from paredown.engine.built import Built, Quantized, Stored
from paredown.engine.tested import answer_beside
from paredown.engine.workbench import Workbench
from paredown.errors import PlanError


def build(bench: Workbench, baseline: Model, final: Model, quantized: Quantized | None, directory: Path) -> list[Built]:
    """Writes the files of the baseline, of the compressed network, and of its quantized form where there is one.

    Raises:
        DeployError: A float file computes something else than its network.
        PlanError: The quantized file would take the place of a float one.
    """
    built = [
        _fp32(bench, baseline, directory, "baseline", exporting.BASELINE),
        _fp32(bench, final, directory, "fp32", exporting.FINAL),
    ]
    return built if quantized is None else [*built, _quantized(bench, final, quantized, directory, built[1])]


def _fp32(bench: Workbench, model: Model, directory: Path, name: str, file: str) -> Built:
    exporting.canonical(bench, model, directory / file)
    tested = answer_beside(bench, directory / file, model, is_exact=True)
    return Built(
        name=name,
        file=file,
        precision="fp32",
        tested=tested,
        simulated=None,
        framework=tested.reference,
        params=counting.count_parameters(bench.state(model)),
        macs=counting.count_macs(bench.layers(model)),
        stored=_stored(directory / file),
    )


def _quantized(bench: Workbench, model: Model, quantized: Quantized, directory: Path, fp32: Built) -> Built:
    import onnx

    from paredown.deploy.canonical.graph import with_arrays
    from paredown.deploy.files import to_bytes
    from paredown.deploy.runtimes import ternary_storage
    from paredown.deploy.writing import precision_of, write_quantized

    precision = precision_of(quantized.plan)
    file = f"onnx/{precision}.onnx"
    if file in (exporting.BASELINE, fp32.file):
        raise PlanError(
            "the plan quantizes no layer, and its file would take the place of the float network's",
            where=file,
            value=f"{len(quantized.plan.points)} points, none on a weight",
            expected="a point on the weight of a layer",
            remedy="leave the plan out",
        )
    graph = with_arrays(onnx.load(directory / exporting.FINAL), quantized.corrected)
    integer = write_quantized(graph, quantized.plan, ternary=ternary_storage(bench.runtime))
    files.write_bytes(directory / file, to_bytes(integer))
    copy, _ = exporting.folded(bench, model)
    simulated = exporting.simulate(bench, copy, quantized.plan, quantized.corrected).model
    tested = answer_beside(bench, directory / file, simulated, is_exact=False)
    return Built(
        name=precision,
        file=file,
        precision=precision,
        tested=tested,
        simulated=tested.reference,
        params=fp32.params,
        macs=fp32.macs,
        stored=_stored(directory / file),
    )


def _stored(path: Path) -> Stored:
    import onnx

    from paredown.deploy.inspect import weight_bytes
    from paredown.deploy.sparsity import compressed_bytes, sparsity

    graph = onnx.load(path)
    return Stored(path.stat().st_size, weight_bytes(graph), sparsity(graph), compressed_bytes(path))
