"""Quantization for people: how wide weights are, and a plot of signal-to-noise ratios, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paredown.results import RunResult

_KINDS = (
    ("together", "the layer's output, everything quantized", "#c8553d", "circle"),
    ("alone", "the layer's output, only this layer quantized", "#2b6cb0", "square"),
    ("network", "the network's output, only this layer quantized", "#4f772d", "diamond"),
)

EFFECTIVE_BITS = "effective_bits"
"""The evidence of a step that says how wide the integers of weights are."""

EXPLAINED = (
    "Signal-to-noise ratio of each layer's quantization on the calibration images, in dB; 10 dB more is a tenth of the"
    " noise. The layer whose quantization alone leaves the network's output with the lowest ratio hurts most."
)


def noise_plot(records: Sequence[Mapping[str, Any]], *, with_library: bool) -> str:
    """The ratios of each layer in the order of the network, a line for each kind.

    Args:
        records: `LayerNoise` as plain data: `layer`, `together`, `alone` and `network`.
        with_library: Whether plotly itself stands in the fragment; a page needs it once.

    Returns:
        An HTML fragment.
    """
    from plotly import graph_objects

    # Layers stand on a scale of their own positions: plotly would merge equal labels, and cannot cut them short.
    positions = list(range(len(records)))
    plot = graph_objects.Figure()
    for kind, title, colour, symbol in _KINDS:
        plot.add_trace(
            graph_objects.Scatter(
                x=positions,
                y=[record[kind] for record in records],
                mode="markers+lines",
                line={"color": colour, "width": 1.5},
                marker={"size": 7, "symbol": symbol},
                name=title,
                text=[record["layer"] for record in records],
                hovertemplate="%{text}<br>%{y:.1f} dB",
            )
        )
    plot.update_layout(
        template="plotly_white",
        height=460,
        margin={"l": 60, "r": 20, "t": 10, "b": 50},
        xaxis={
            "tickmode": "array",
            "tickvals": positions,
            "ticktext": [record["layer"] for record in records],
            "tickangle": -60,
            "automargin": True,
        },
        yaxis={"title": "signal-to-noise ratio, in dB"},
        legend={"orientation": "h", "y": 1.14},
        showlegend=True,
    )
    fragment: str = plot.to_html(
        full_html=False, include_plotlyjs=with_library, config={"displayModeBar": False, "responsive": True}
    )
    return fragment


def weight_words(weights: Mapping[str, Any]) -> str:
    """The evidence of how wide weights are, as in `7 bits (-64 to 64) in 20 layers, for portable`."""
    ranges = [
        f"{_bits(one['bits'])} ({_integers(one)}) in {one['layers']} layer{'s' if one['layers'] > 1 else ''}"
        for one in weights["integers"]
    ]
    return f"{', '.join(ranges)}, for {weights['target']}"


def weight_lines(run: RunResult) -> tuple[str, ...]:
    """A line for each step that quantized the weights of a run."""
    return tuple(
        f"step {step.index + 1}: weights of {weight_words(step.evidence[EFFECTIVE_BITS])}"
        for step in run.steps
        if step.evidence.get(EFFECTIVE_BITS)
    )


def _bits(bits: float) -> str:
    shown = f"{bits:.1f}".removesuffix(".0")
    return f"{shown} bit{'' if shown == '1' else 's'}"


def _integers(one: Mapping[str, Any]) -> str:
    low, high = one["range"]
    return f"{low} or {high}" if one["levels"] == 2 else f"{low} to {high}"


def noise_rows(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str, str]]:
    """A table of the same figures, the layer that hurts most first: layer, `network`, `alone`, `together`."""
    ranked = sorted(records, key=lambda record: float(record["network"]))
    return [
        (str(record["layer"]), *(f"{float(record[kind]):.1f}" for kind in ("network", "alone", "together")))  # type: ignore[misc]  # three texts
        for record in ranked
    ]
