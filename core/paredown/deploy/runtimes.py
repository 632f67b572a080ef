"""Which runtimes a backend can deploy to, which of them quantize as a spec asks, and how files are stored for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from paredown.contracts import BackendInfo, Runtime
from paredown.spec.models import QuantizeStep, Spec

if TYPE_CHECKING:
    from paredown.deploy.writing.storage import TernaryStorage

_TAKEN = ("kind", "calibration", "activations")
"""The fields of a quantization step that a runtime's own quantizer takes, or replaces by options of its own."""


def problems(runtime: Runtime, info: BackendInfo, spec: Spec) -> Iterator[str]:
    """Why a spec cannot be deployed to a runtime from a backend, a line each; nothing where it can."""
    written = ("onnx", *info.formats)
    if runtime.format not in written:
        yield (
            f"the runtime `{runtime.name}` reads `{runtime.format}`, and this backend writes {' and '.join(written)}:"
            " write `deploy: {runtime: {kind: onnxruntime}}`"
        )
    elif runtime.format != "onnx":
        yield from _of_quantizer(runtime, info, spec)


def ternary_storage(runtime: Runtime) -> TernaryStorage:
    """How ternary weights are stored for a runtime: as 2-bit integers only where it says that it reads them."""
    return "int2" if getattr(runtime, "reads_int2", False) else "packed"


def _of_quantizer(runtime: Runtime, info: BackendInfo, spec: Spec) -> Iterator[str]:
    source = getattr(runtime, "quantizes", None)
    for index, step in enumerate(spec.steps):
        where = f"steps[{index}]"
        if any(isinstance(inner, QuantizeStep) for inner in getattr(step, "during", ())):
            yield f"{where}.during: what training learns of quantization does not reach the runtime `{runtime.name}`"
        if not isinstance(step, QuantizeStep):
            continue
        if source not in info.formats:
            yield f"{where}: the runtime `{runtime.name}` has no quantizer for what this backend writes"
        if spec.deploy.target == "avx2":
            yield (
                f"deploy.target: the runtime `{runtime.name}` quantizes by itself, and does not keep weights within the"
                " range that `avx2` asks for; deploy to onnxruntime, or leave out `target`"
            )
        asked = _not_done(step)
        if asked:
            yield (
                f"{where}: the runtime `{runtime.name}` quantizes by itself, to 8 bits after training, and takes of"
                f" this step the calibration alone; leave out {', '.join(asked)}, or deploy to onnxruntime"
            )


def _not_done(step: QuantizeStep) -> list[str]:
    plain = QuantizeStep()
    asked = [
        name for name in QuantizeStep.model_fields if name not in _TAKEN and getattr(step, name) != getattr(plain, name)
    ]
    wide = step.activations is not None and step.activations.bits != 8
    return [*asked, *(["activations.bits"] if wide else [])]
