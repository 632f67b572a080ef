"""Deploying in a format of the backend's own, for a runtime that reads it and has its own quantizer."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import cast

from paredown import files
from paredown.algorithms import counting
from paredown.contracts import ExportRequest, Model, QuantizingRuntime
from paredown.engine import exporting
from paredown.engine.built import Built, QuantizedByRuntime, Stored
from paredown.engine.tested import answer_beside
from paredown.engine.workbench import Workbench
from paredown.errors import NoEffectError

BASELINE, FINAL, INTEGERS = "baseline-fp32", "fp32", "int8"
"""The directories of the files, below one that is named after the format."""


def build(
    bench: Workbench, baseline: Model, final: Model, quantized: QuantizedByRuntime | None, directory: Path
) -> list[Built]:
    """Writes the files of the baseline, of the compressed network, and what the runtime's quantizer makes of it.

    Raises:
        DeployError: A float file computes something else than its network, or the quantizer fails.
    """
    built = [_fp32(bench, baseline, directory, "baseline", BASELINE), _fp32(bench, final, directory, "fp32", FINAL)]
    return built if quantized is None else [*built, _quantized(bench, final, quantized, directory, built[1])]


def _fp32(bench: Workbench, model: Model, directory: Path, name: str, folder: str) -> Built:
    file = f"{bench.runtime.format}/{folder}"
    _export(bench, model, directory / file, bench.runtime.format)
    state = bench.state(model)
    tested = answer_beside(bench, directory / file, model, is_exact=True)
    return Built(
        name=name,
        file=file,
        precision="fp32",
        tested=tested,
        simulated=None,
        framework=tested.reference,
        params=counting.count_parameters(state),
        macs=counting.count_macs(bench.layers(model)),
        stored=_stored(bench, directory / file),
    )


def _quantized(bench: Workbench, model: Model, by: QuantizedByRuntime, directory: Path, fp32: Built) -> Built:
    """The runtime's integers; nothing simulates them, so their predictions are compared with the float network's."""
    runtime = cast("QuantizingRuntime", bench.runtime)
    file = f"{runtime.format}/{INTEGERS}"
    files.remove_directory(directory / file)
    calibration = by.step.calibration
    images = bench.split("train")[0][: calibration.samples]
    with tempfile.TemporaryDirectory(prefix=".export-", dir=(directory / file).parent) as scratch:
        source = Path(scratch) / "source"
        _export(bench, model, source, runtime.quantizes)
        settings = runtime.quantize(source, directory / file, images, batch_size=calibration.batch_size)
    stored = _stored(bench, directory / file)
    if stored.weight_bytes >= fp32.stored.weight_bytes:
        raise NoEffectError(
            f"the quantizer of `{runtime.name}` made no integers of this network",
            where=file,
            value=f"{stored.weight_bytes} bytes of weights, {fp32.stored.weight_bytes} before",
            expected="fewer bytes",
            remedy="leave the quantize step out for this runtime, or deploy to onnxruntime",
        )
    return Built(
        name="int8",
        file=file,
        precision="int8",
        tested=answer_beside(bench, directory / file, model, is_exact=False),
        simulated=None,
        params=fp32.params,
        macs=fp32.macs,
        stored=stored,
        settings=settings,
    )


def _export(bench: Workbench, model: Model, path: Path, written: str) -> None:
    copy, _ = exporting.folded(bench, model)
    files.remove_directory(path)
    files.make_directory(path.parent)
    bench.manager.export(bench.backend, copy, ExportRequest(written, path, bench.input_shape))


def _stored(bench: Workbench, path: Path) -> Stored:
    """The zeros among the weights cannot be counted in a format that only the runtime reads."""
    from paredown.deploy.sparsity import compressed_bytes

    shipped = bench.runtime.files(path)
    return Stored(
        bytes=sum(file.stat().st_size for file in shipped),
        weight_bytes=shipped[-1].stat().st_size,
        sparsity=None,
        compressed_bytes=sum(compressed_bytes(file) for file in shipped),
    )
