"""Where the integers of a file and the processor that measured it differ: notes for the reader of a result."""

from __future__ import annotations

from collections.abc import Collection

from paredown.algorithms.qparams import SATURATING_TARGETS
from paredown.engine.built import Quantized, QuantizedByRuntime
from paredown.plan import QuantPlan

VNNI = ("avx_vnni", "avx512_vnni")
SAFE_LEVELS = 129
"""How many levels two products of which, with 8-bit activations, still fit into 16 bits: -64 to 64."""


def explain_saturation(
    quantized: Quantized | QuantizedByRuntime | None, target: str, runtime: str, features: Collection[str] | None
) -> tuple[str, ...]:
    """What to know of accuracy where integers may be cut off.

    Args:
        quantized: How the network is quantized.
        target: What the file is for.
        runtime: The name of what runs the file.
        features: Instructions of this processor (`provenance.cpu_features`); None where they are not known, or it is no
            x86.
    """
    if isinstance(quantized, QuantizedByRuntime):
        if target not in SATURATING_TARGETS:
            return ()
        return (
            f"`{runtime}` quantizes by itself and does not keep `deploy.target: {target}`: on processors without VNNI"
            " sums of its integers may be cut off at 16 bits; deploy to onnxruntime where the file is for such",
        )
    if quantized is None or features is None or set(features) & set(VNNI):
        return ()
    full = _fills_integers(quantized.plan)
    if full is None:
        return ()
    return (
        f"8-bit weights reach from {full[0]} to {full[1]} (`deploy.target: {target}`), and this processor has no VNNI:"
        " where its kernels cut sums off at 16 bits, the accuracy of the int8 file here is not that of its target;"
        " evaluate the file on a processor of the target, or set `deploy.target: portable`",
    )


def _fills_integers(plan: QuantPlan) -> tuple[int, int] | None:
    """The range of 8-bit weights that are multiplied as integers and take more than is safe everywhere, or None."""
    if plan.mode not in ("static", "qat", "dynamic"):
        return None
    ranges = (
        (point.tensor.qmin, point.tensor.qmax)
        for point in plan.points
        if point.port == "weight" and point.tensor.bits == 8
    )
    return next((one for one in ranges if one[1] - one[0] >= SAFE_LEVELS), None)
