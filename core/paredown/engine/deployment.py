"""From a compressed network to files that were verified and measured, and the choice between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from paredown.algorithms.batches import evaluation_batch
from paredown.contracts import Model, Runtime
from paredown.deploy.measure import Latency, measure_latency, peak_memory_mb
from paredown.engine import choosing, native_files, onnx_files
from paredown.engine.built import Built, Quantized, QuantizedByRuntime
from paredown.engine.pictures import MOST, take_pictures
from paredown.engine.provenance import cpu_features
from paredown.engine.saturation import explain_saturation
from paredown.engine.tallies import metrics_of
from paredown.engine.uneven_widths import explain_slowness
from paredown.engine.workbench import Workbench
from paredown.results import Candidate, Figures, Pictures

METRIC_TOLERANCE = 1e-3
"""Metrics of a float file and of its network that are further apart are told."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The figures of the baseline's file, every candidate, the bounds that were missed, and why others stay behind.

    `notes` tell what verification and measuring found; `pictures` are those of the report, where the task draws.
    """

    baseline: Figures
    baseline_file: str
    candidates: tuple[Candidate, ...]
    missed: tuple[str, ...]
    choice: tuple[str, ...]
    notes: tuple[str, ...]
    pictures: Pictures | None


def deploy(
    bench: Workbench,
    baseline: Model,
    final: Model,
    quantized: Quantized | QuantizedByRuntime | None,
    directory: Path,
) -> Deployment:
    """Writes every file, verifies each on data, measures each against the baseline's, and chooses.

    Args:
        bench: The run.
        baseline: The uncompressed network.
        final: The network after all steps.
        quantized: How the network is quantized, where a step decided it.
        directory: The run's.
    """
    runtime = bench.runtime
    bench.report("stage", text="export")
    write: Any = onnx_files.build if runtime.format == "onnx" else native_files.build
    reference, *built = write(bench, baseline, final, quantized, directory)
    bench.report("stage", text="measure")
    latencies = measure_latency(runtime, [directory / one.file for one in (reference, *built)], bench.input_shape)
    start = _figures(bench, runtime, reference, latencies[0], directory)
    drop = bench.spec.deploy.max_metric_drop
    allowed = start["validation"][bench.task.primary] - drop
    candidates: list[Candidate] = []
    for one, latency in zip(built, latencies[1:], strict=True):
        figures = _figures(bench, runtime, one, latency, directory)
        within = figures["validation"][bench.task.primary] >= allowed - 1e-12
        candidates.append(
            Candidate(
                name=one.name,
                file=one.file,
                precision=one.precision,
                simulated=one.simulated,
                settings=None if one.settings is None else dict(one.settings),
                within_bound=within,
                delivered=False,
                **figures,
            )
        )
    prefer, primary = bench.spec.deploy.prefer, bench.task.primary
    chosen = choosing.choose(candidates, prefer, primary)
    images, labels = bench.split("test")
    delivered = built[candidates.index(chosen)].tested.shown
    whole = as_figures(start)
    return Deployment(
        baseline=whole,
        baseline_file=reference.file,
        candidates=tuple(one.model_copy(update={"delivered": one is chosen}) for one in candidates),
        missed=choosing.missed(chosen, start["validation"], drop, primary),
        choice=choosing.reasons(candidates, chosen, prefer, start["validation"], drop, primary),
        notes=(
            *(note for one in (reference, *built) for note in apart(one.name, one.tested.metrics, one.framework or {})),
            *explain_slowness(whole, candidates, bench.layers(baseline), bench.layers(final)),
            *explain_saturation(quantized, bench.spec.deploy.target, runtime.name, cpu_features()),
        ),
        pictures=take_pictures(bench.task, images[:MOST], labels[:MOST], reference.tested.shown, delivered),
    )


def apart(file: str, metrics: Mapping[str, float], framework: Mapping[str, float]) -> Iterator[str]:
    """What to say of a float file whose metrics are not its network's, though its outputs are."""
    for name, expected in framework.items():
        # Written so that NaN counts as apart.
        if not abs(metrics[name] - expected) <= METRIC_TOLERANCE:
            yield (
                f"{file}: {name} is {metrics[name]:.4f} by the file and {expected:.4f} in the framework; their outputs"
                " are equal within rounding, so predictions that are all but tied decide"
            )


def as_figures(measured: Mapping[str, Any]) -> Figures:
    """The fields that every network has, out of a candidate's or a measurement's."""
    return Figures(**{name: measured[name] for name in Figures.model_fields})


def _figures(bench: Workbench, runtime: Runtime, built: Built, latency: Latency, directory: Path) -> dict[str, Any]:
    """The figures of a file."""
    from paredown.deploy.verify import run_batches

    path = directory / built.file
    images, labels = bench.split("validation")
    answers = run_batches(runtime, path, images, batch_size=evaluation_batch(images))
    return {
        "metrics": built.tested.metrics,
        "validation": metrics_of(bench.task, answers, labels),
        "params": built.params,
        "macs": built.macs,
        **asdict(built.stored),
        "latency_ms": latency.latency_ms,
        "latency_ratio": latency.ratio,
        "peak_memory_mb": peak_memory_mb(runtime, path, bench.input_shape),
        "agreement": built.tested.agreement,
        "framework": built.framework,
    }
