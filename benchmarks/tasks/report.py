"""The results as Markdown, for docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

TITLES = {
    "classification": "classification",
    "semantic_segmentation": "semantic segmentation",
    "detection": "detection",
    "instance_segmentation": "instance segmentation",
}


def render(results: Mapping[str, Any]) -> str:
    """A row for each task and backend, then the bounds."""
    return "\n".join([*_rows(results["tasks"]), "", *_bounds(results["bounds"])]) + "\n"


def delivered(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """The candidate that a run delivers."""
    return next(one for one in run["candidates"] if one["delivered"])


def _rows(tasks: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "| task, backend | metric | baseline | delivered | points lost | MACs | bytes | latency |"
        " baseline, seconds | the rest, seconds |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for task, one in tasks.items():
        trained = one["baseline"]
        for backend, run in one["runs"].items():
            found, primary = delivered(run), one["primary"]
            before, after = run["baseline"][primary], found["metrics"][primary]
            own = trained["seconds"] if trained["trained_on"] == backend else None
            yield (
                f"| {TITLES[task]}, {backend} | {primary} | {100 * before:.2f} |"
                f" {100 * after:.2f} ({found['precision']}) | {100 * found['drop']:+.2f} | {found['macs']:.3f} |"
                f" {found['bytes']:.3f} | {found['latency']:.2f} |"
                f" {'shared' if own is None else f'{own:.0f}'} | {run['rest_seconds']:.0f} |"
            )


def _bounds(bounds: Mapping[str, str]) -> Iterator[str]:
    kept = [name for name, verdict in bounds.items() if verdict == "kept"]
    yield f"{len(kept)} of {len(bounds)} bounds are kept."
    others = [(name, verdict) for name, verdict in bounds.items() if verdict != "kept"]
    if others:
        yield ""
        yield "| bound | verdict |"
        yield "|---|---|"
        yield from (f"| {name} | {verdict} |" for name, verdict in others)
