"""What a quantization step would do, in words."""

from __future__ import annotations

from paredown.spec.models import QuantizeStep

HOOKS = ("fold", "export", "quantize")

BY_RUNTIME = (
    "Nothing yet: when the files are written, the runtime's own quantizer makes integers after training, on the"
    " calibration images, with its own way of finding ranges."
)

_FIRST = {
    "static": "Fold BatchNorm, export, and observe ranges on the canonical graph in ONNX Runtime;",
    "dynamic": "Fold BatchNorm and export; ranges of activations are taken at run time;",
    "weight_only": "Fold BatchNorm and export; activations stay in float;",
}
_WIDTHS = {8: "8-bit", 4: "4-bit", 2: "ternary", 1: "binary"}


def explain_quantize(step: QuantizeStep) -> str:
    """A quantization after training."""
    if step.mode == "fp16":
        return "Fold BatchNorm, export, and make every number of the file a 16-bit float; simulate it in the framework."
    text = (
        f"{_FIRST[step.mode]} choose scales and zero points of {_WIDTHS[step.weights.bits]} weights in core; simulate"
        " them in the framework."
    )
    if step.corrections:
        text += f" Before that: {', then '.join(correction.kind for correction in step.corrections)}."
    if step.analysis:
        text += " The signal-to-noise ratio of each layer is measured."
    if step.keep_best_effort:
        text += " The worst layers stay in float until the metric holds on validation."
    return text


def explain_training(step: QuantizeStep, epochs: int) -> str:
    """Quantization inside a training step of so many epochs."""
    scales = " Scales are learned." if step.learned else " Upper ends of ranges are learned." if step.pact else ""
    return (
        f" Meanwhile {_WIDTHS[step.weights.bits]} weights and activations pass through fake quantization; BatchNorm"
        f" keeps its statistics from epoch {step.freeze_epoch(epochs):g} on.{scales}"
    )
