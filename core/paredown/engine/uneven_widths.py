"""Why a cut network may be slower than the whole one: runtimes compute blocks of channels, and widths fill them."""

from __future__ import annotations

from collections.abc import Sequence

from paredown.contracts import LayerInfo
from paredown.results import Candidate, Figures

BLOCK = 8
"""float32 channels that an AVX2 register holds, and two of NEON's; AVX-512 holds 16."""


def explain_slowness(
    baseline: Figures, candidates: Sequence[Candidate], before: Sequence[LayerInfo], after: Sequence[LayerInfo]
) -> tuple[str, ...]:
    """What to do about float files that need fewer multiply-accumulates than the baseline's and more time.

    `before` and `after` are the layers of the whole and of the cut network. Nothing is said of files that are faster,
    and nothing where every width that was a multiple of `BLOCK` still is one.
    """
    slow = [
        one for one in candidates if one.precision == "fp32" and one.macs < baseline.macs and one.latency_ratio > 1.0
    ]
    whole = {layer.name: layer.output_shape[0] for layer in before if layer.kind == "conv"}
    cut = {layer.name: layer.output_shape[0] for layer in after if layer.kind == "conv"}
    uneven = {name: width for name, width in cut.items() if width % BLOCK and not whole.get(name, width) % BLOCK}
    if not slow or not uneven:
        return ()
    name, width = next(iter(uneven.items()))
    return (
        f"{slow[0].name} takes {slow[0].latency_ratio:.2f} of the baseline's time for"
        f" {slow[0].macs / baseline.macs:.2f} of its MACs: {len(uneven)} of {len(cut)} convolutions were cut to widths"
        f" that are no multiple of {BLOCK} ({name}: {whole[name]} to {width}), and runtimes compute whole blocks of"
        f" channels (`round_to: {BLOCK}` in the prune step keeps them)",
    )
