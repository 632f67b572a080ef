"""From a compressed network to files that were verified and measured, and the choice between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paredown import files
from paredown.algorithms import counting
from paredown.contracts import FloatArray, Model, Runtime
from paredown.deploy.measure import Latency, measure_latency, peak_memory_mb
from paredown.engine import exporting
from paredown.engine.workbench import Workbench
from paredown.plan import QuantPlan
from paredown.results import Candidate, Figures


@dataclass(frozen=True, slots=True)
class Deployment:
    """The figures of the baseline's file, every candidate, and the bounds that were missed, said plainly."""

    baseline: Figures
    candidates: tuple[Candidate, ...]
    missed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Built:
    name: str
    file: str
    precision: str
    reference: FloatArray
    simulated: dict[str, float] | None
    params: int
    macs: int


def deploy(bench: Workbench, baseline: Model, final: Model, plan: QuantPlan | None, directory: Path) -> Deployment:
    """Writes every file, verifies each on data, measures each against the baseline's, and chooses.

    Args:
        bench: The run.
        baseline: The uncompressed network.
        final: The network after all steps.
        plan: The quantization plan, where a step made one.
        directory: Where `onnx/` is.
    """
    runtime = bench.runtime
    bench.report("stage", text="export")
    reference = _fp32(bench, runtime, baseline, directory, "baseline", exporting.BASELINE)
    built = [_fp32(bench, runtime, final, directory, "fp32", exporting.FINAL)]
    if plan is not None:
        built.append(_int8(bench, final, plan, directory, built[0]))
    bench.report("stage", text="measure")
    latencies = measure_latency(runtime, [directory / one.file for one in (reference, *built)], bench.input_shape)
    start = _figures(bench, runtime, reference, latencies[0], directory)
    drop = bench.spec.deploy.max_metric_drop
    allowed = start["validation"][bench.task.primary] - drop
    candidates = []
    for one, latency in zip(built, latencies[1:], strict=True):
        figures = _figures(bench, runtime, one, latency, directory)
        within = figures["validation"][bench.task.primary] >= allowed - 1e-12
        candidates.append(
            Candidate(
                name=one.name,
                file=one.file,
                precision="int8" if one.precision == "int8" else "fp32",
                simulated=one.simulated,
                within_bound=within,
                delivered=False,
                **figures,
            )
        )
    chosen = choose(candidates, bench.spec.deploy.prefer, bench.task.primary)
    listed = tuple(one.model_copy(update={"delivered": one.name == chosen.name}) for one in candidates)
    return Deployment(as_figures(start), listed, _missed(chosen, start["validation"], drop, bench.task.primary))


def choose(candidates: Sequence[Candidate], prefer: str, primary: str) -> Candidate:
    """The best candidate by `prefer` among those within the bound; where none is, the most accurate on validation."""
    within = [one for one in candidates if one.within_bound]
    if not within:
        return max(candidates, key=lambda one: one.validation[primary])
    return min(within, key=lambda one: one.bytes if prefer == "size" else one.latency_ratio)


def as_figures(measured: Mapping[str, Any]) -> Figures:
    """The fields that every network has, out of a candidate's or a measurement's."""
    return Figures(**{name: measured[name] for name in Figures.model_fields})


def _missed(chosen: Candidate, start: Mapping[str, float], drop: float, primary: str) -> tuple[str, ...]:
    if chosen.within_bound:
        return ()
    lost = start[primary] - chosen.validation[primary]
    return (
        f"no candidate keeps {primary} within {drop:g} of the baseline on validation: the best, {chosen.name},"
        f" loses {lost:.4f}"
        " (raise deploy.max_metric_drop, train longer, or remove less)",
    )


def _fp32(bench: Workbench, runtime: Runtime, model: Model, directory: Path, name: str, file: str) -> _Built:
    from paredown.deploy.verify import require_equal_outputs, run_file

    exporting.canonical(bench, model, directory / file)
    outputs = bench.outputs(model, "test")
    images, _ = bench.split("test")
    require_equal_outputs(run_file(runtime, directory / file, images), outputs, directory / file)
    return _Built(
        name=name,
        file=file,
        precision="fp32",
        reference=outputs,
        simulated=None,
        params=counting.count_parameters(bench.state(model)),
        macs=counting.count_macs(bench.layers(model)),
    )


def _int8(bench: Workbench, model: Model, plan: QuantPlan, directory: Path, fp32: _Built) -> _Built:
    import onnx

    from paredown.deploy.files import to_bytes
    from paredown.deploy.qdq import write_qdq

    graph = write_qdq(onnx.load(directory / exporting.FINAL), plan)
    files.write_bytes(directory / exporting.QUANTIZED, to_bytes(graph))
    copy, _ = exporting.folded(bench, model)
    simulated = exporting.simulate(bench, copy, plan).model
    outputs = bench.outputs(simulated, "test")
    return _Built(
        name="int8",
        file=exporting.QUANTIZED,
        precision="int8",
        reference=outputs,
        simulated=bench.task.metrics(outputs, bench.split("test")[1]),
        params=fp32.params,
        macs=fp32.macs,
    )


def _figures(bench: Workbench, runtime: Runtime, built: _Built, latency: Latency, directory: Path) -> dict[str, Any]:
    import onnx

    from paredown.deploy.inspect import weight_bytes
    from paredown.deploy.sparsity import compressed_bytes, sparsity
    from paredown.deploy.verify import run_file

    path = directory / built.file
    graph = onnx.load(path)
    outputs = {split: run_file(runtime, path, bench.split(split)[0]) for split in ("validation", "test")}
    return {
        "metrics": bench.task.metrics(outputs["test"], bench.split("test")[1]),
        "validation": bench.task.metrics(outputs["validation"], bench.split("validation")[1]),
        "params": built.params,
        "macs": built.macs,
        "bytes": path.stat().st_size,
        "weight_bytes": weight_bytes(graph),
        "sparsity": sparsity(graph),
        "compressed_bytes": compressed_bytes(path),
        "latency_ms": latency.latency_ms,
        "latency_ratio": latency.ratio,
        "peak_memory_mb": peak_memory_mb(runtime, path, bench.input_shape),
        "agreement": float(np.mean(outputs["test"].argmax(axis=1) == built.reference.argmax(axis=1))),
    }
