"""The results as a picture: test accuracy by method, one panel for each network and target, one dot for each seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from statistics import mean
from typing import Any

from settings import NETWORKS, TARGETS
from table import methods, title

LABELS, PANEL, GAP = 300, 190, 20
ROW, TOP, BOTTOM = 22, 52, 40
OURS, PEER, CONTROL, INK = "#1f6fb2", "#d0702b", "#8a8a8a", "#333333"


def draw(results: Mapping[str, Any]) -> str:
    """An SVG: small dots are seeds, bars their mean, the dashed line the unpruned network."""
    rows = methods(results)
    panels = [(network, target) for network in NETWORKS for target in TARGETS]
    width, height = LABELS + len(panels) * (PANEL + GAP), TOP + ROW * len(rows) + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        f' font-size="12" fill="{INK}">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for index, (backend, method, scope) in enumerate(rows):
        y = TOP + ROW * (index + 0.5) + 4
        label = escape(f"{title(backend, method)}, {scope}")
        parts.append(f'<text x="{LABELS - 10}" y="{y:.0f}" text-anchor="end">{label}</text>')
    for index, (network, target) in enumerate(panels):
        parts.extend(_panel(results, rows, network, target, LABELS + index * (PANEL + GAP)))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    results: Mapping[str, Any], rows: list[tuple[str, str, str]], network: str, target: float, left: int
) -> Iterator[str]:
    cells = [cell for cell in results["cells"] if cell["network"] == network and cell["target"] == target]
    whole = mean(cell["baseline"] for cell in cells)
    low, high = min(cell["test"] for cell in cells), max(whole, *(cell["test"] for cell in cells))
    margin = 0.06 * (high - low)
    low, high = low - margin, high + margin
    bottom = TOP + ROW * len(rows)

    def x(value: float) -> float:
        return float(left + PANEL * (value - low) / (high - low))

    yield f'<text x="{left}" y="20" font-weight="bold">{escape(network)}</text>'
    yield f'<text x="{left}" y="38">{target:g} of the MACs</text>'
    yield f'<rect x="{left}" y="{TOP}" width="{PANEL}" height="{bottom - TOP}" fill="none" stroke="#cccccc"/>'
    yield (
        f'<line x1="{x(whole):.1f}" x2="{x(whole):.1f}" y1="{TOP}" y2="{bottom}" stroke="{INK}"'
        ' stroke-dasharray="4 3"/>'
    )
    for value, anchor in ((low + margin, "start"), (whole, "end")):
        yield f'<text x="{x(value):.1f}" y="{bottom + 16}" text-anchor="{anchor}">{100 * value:.1f}%</text>'
    for index, row in enumerate(rows):
        found = [cell["test"] for cell in cells if (cell["backend"], cell["method"], cell["scope"]) == row]
        yield from _row(found, x, TOP + ROW * (index + 0.5), _colour(row[1]))


def _row(found: list[float], x: Any, y: float, colour: str) -> Iterator[str]:
    for value in found:
        yield f'<circle cx="{x(value):.1f}" cy="{y:.1f}" r="3" fill="{colour}" fill-opacity="0.55"/>'
    if found:
        centre = x(mean(found))
        yield (
            f'<line x1="{centre:.1f}" x2="{centre:.1f}" y1="{y - 7:.1f}" y2="{y + 7:.1f}" stroke="{colour}"'
            ' stroke-width="2.5"/>'
        )


def _colour(method: str) -> str:
    if method in ("torch-pruning", "paddleslim"):
        return PEER
    return CONTROL if method == "random" else OURS
