"""The short names of what quantization makes of a network: for files, reports and `explain`."""

from __future__ import annotations

from collections.abc import Collection

from paredown.spec.models import QuantizationMode, QuantizeStep

WEIGHTS = {8: "int8", 4: "int4", 2: "ternary", 1: "binary"}


def precision_name(mode: QuantizationMode, weights: Collection[int], activations: Collection[int]) -> str:
    """First the weights, then what becomes of activations where that is not 8 calibrated bits.

    `int8`, `int4`, `ternary`, `binary`, or `mixed` where layers differ; then `-a16` or `-a4`, `-dynamic` for ranges
    taken at run time, `-weights` for activations in float (so `int4-weights`). Half precision is `fp16`; a network of
    which no layer is quantized is `fp32`.

    Args:
        mode: The mode of quantization.
        weights: The widths of the weights, in bits.
        activations: The widths of activations, in bits.
    """
    if mode == "fp16":
        return "fp16"
    widths = set(weights)
    if not widths:
        return "fp32"
    name = WEIGHTS[widths.pop()] if len(widths) == 1 else "mixed"
    if mode == "dynamic":
        return f"{name}-dynamic"
    if mode == "weight_only":
        return f"{name}-weights"
    return name + "".join(f"-a{bits}" for bits in sorted(set(activations) - {8}, reverse=True))


def precision_asked(step: QuantizeStep) -> str:
    """The name of the file that a step asks for, where no layer is left in float."""
    return precision_name(step.mode, (step.weights.bits,), (step.activations.bits,) if step.activations else ())
