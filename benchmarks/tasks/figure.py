"""The results as a picture: for each task and backend the metric of the baseline and of the file that is delivered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from report import TITLES, delivered
from subject import DROP

LABELS, PANEL, MARGIN = 250, 420, 150
ROW, TOP, BOTTOM = 26, 34, 30
BEFORE, AFTER, BOUND, INK = "#8a8a8a", "#1f6fb2", "#d0702b", "#333333"


def draw(results: Mapping[str, Any]) -> str:
    """An SVG: a ring is the baseline, a dot the delivered file, a dashed line how little that one may reach."""
    rows = [
        (f"{TITLES[task]}, {backend}", one["primary"], run)
        for task, one in results["tasks"].items()
        for backend, run in one["runs"].items()
    ]
    width, bottom = LABELS + PANEL + MARGIN, TOP + ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + BOTTOM}" font-family="sans-serif"'
        f' font-size="12" fill="{INK}">',
        f'<rect width="{width}" height="{bottom + BOTTOM}" fill="#ffffff"/>',
        f'<text x="{LABELS}" y="20" font-weight="bold">metric on the test images, of the file in the runtime</text>',
        f'<rect x="{LABELS}" y="{TOP}" width="{PANEL}" height="{ROW * len(rows)}" fill="none" stroke="#cccccc"/>',
    ]
    for index, (title, primary, run) in enumerate(rows):
        parts.extend(_row(title, primary, run, TOP + ROW * (index + 0.5)))
    for value, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        parts.append(f'<text x="{_x(value):.0f}" y="{bottom + 18}" text-anchor="{anchor}">{100 * value:.0f}%</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(title: str, primary: str, run: Mapping[str, Any], y: float) -> Iterator[str]:
    found = delivered(run)
    before, after = _x(run["baseline"][primary]), _x(found["metrics"][primary])
    least = _x(run["baseline"][primary] - DROP)
    yield f'<text x="{LABELS - 10}" y="{y + 4:.0f}" text-anchor="end">{escape(title)}</text>'
    yield (
        f'<line x1="{least:.1f}" x2="{least:.1f}" y1="{y - 9:.1f}" y2="{y + 9:.1f}" stroke="{BOUND}"'
        ' stroke-dasharray="3 2"/>'
    )
    yield f'<circle cx="{before:.1f}" cy="{y:.1f}" r="5" fill="none" stroke="{BEFORE}" stroke-width="2"/>'
    yield f'<circle cx="{after:.1f}" cy="{y:.1f}" r="4" fill="{AFTER}" fill-opacity="0.8"/>'
    text = f"{primary}, {found['precision']}, {found['macs']:.2f} of the MACs"
    yield f'<text x="{LABELS + PANEL + 8}" y="{y + 4:.0f}" font-size="10">{escape(text)}</text>'


def _x(value: float) -> float:
    return LABELS + PANEL * min(max(value, 0.0), 1.0)
