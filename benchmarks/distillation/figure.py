"""The results as a picture: what each way to learn gains over the student alone; a dot is a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from report import title

LABELS, PANEL, MARGIN = 330, 420, 20
ROW, TOP, BOTTOM = 22, 34, 36
OURS, PEER, INK = "#1f6fb2", "#d0702b", "#333333"


def draw(results: Mapping[str, Any]) -> str:
    """An SVG: small dots are seeds, bars their mean, thin lines the 95% interval, the dashed line no gain at all."""
    gains = results["gains"]
    width, height = LABELS + PANEL + MARGIN, TOP + ROW * len(gains) + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        f' font-size="12" fill="{INK}">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LABELS}" y="20" font-weight="bold">gain over the student alone, points of top-1</text>',
        f'<rect x="{LABELS}" y="{TOP}" width="{PANEL}" height="{ROW * len(gains)}" fill="none" stroke="#cccccc"/>',
    ]
    if gains:
        low, high = _range(gains)

        def x(value: float) -> float:
            return LABELS + PANEL * (value - low) / (high - low)

        for index, one in enumerate(gains):
            parts.extend(_row(one, x, TOP + ROW * (index + 0.5)))
        parts.extend(_axis(low, high, x, TOP + ROW * len(gains)))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _range(gains: list[Mapping[str, Any]]) -> tuple[float, float]:
    """All seeds, all intervals, and zero."""
    values = [0.0, *(value for one in gains for key in ("pairs", "interval") for value in one["gain"][key])]
    margin = 0.1 * (max(values) - min(values)) or 1.0
    return min(values) - margin, max(values) + margin


def _row(one: Mapping[str, Any], x: Any, y: float) -> Iterator[str]:
    colour = PEER if one["lane"] == "torchdistill" else OURS
    low, high = one["gain"]["interval"]
    centre = x(one["gain"]["mean"])
    yield f'<text x="{LABELS - 10}" y="{y + 4:.0f}" text-anchor="end">{escape(title(one))}</text>'
    yield f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}"/>'
    for value in one["gain"]["pairs"]:
        yield f'<circle cx="{x(value):.1f}" cy="{y:.1f}" r="3" fill="{colour}" fill-opacity="0.55"/>'
    yield (
        f'<line x1="{centre:.1f}" x2="{centre:.1f}" y1="{y - 7:.1f}" y2="{y + 7:.1f}" stroke="{colour}"'
        ' stroke-width="2.5"/>'
    )


def _axis(low: float, high: float, x: Any, bottom: float) -> Iterator[str]:
    yield f'<line x1="{x(0):.1f}" x2="{x(0):.1f}" y1="{TOP}" y2="{bottom}" stroke="{INK}" stroke-dasharray="4 3"/>'
    for value, anchor in ((low, "start"), (0.0, "middle"), (high, "end")):
        yield f'<text x="{x(value):.1f}" y="{bottom + 16}" text-anchor="{anchor}">{value:+.1f}</text>'
