"""The primary metric against latency and size, one colour a backend, one shape a kind of file; sensitivity curves."""

from __future__ import annotations

from typing import Any

from paredown.report.metrics import is_share
from paredown.results import Comparison, RunResult, SensitivityRun

_COLOURS = ("#c8553d", "#2b6cb0", "#4f772d", "#7b4fa3")
_SHAPES = {"baseline": "circle-open", "fp32": "square"}
_QUANTIZED = "diamond"

Point = tuple[str, float, float]
"""What a file is, where it stands along the x axis, and its primary metric."""


def latency_plot(comparison: Comparison, *, with_library: bool) -> str:
    """The metric against latency. The x axis holds ratios: milliseconds of runs at different times do not compare."""
    lines: dict[str, list[Point]] = {
        _title(run): [
            ("baseline", 1.0, run.baseline.metrics[comparison.primary]),
            *((one.precision, one.latency_ratio, one.metrics[comparison.primary]) for one in run.candidates),
        ]
        for run in comparison.runs
    }
    return _scatter(comparison, lines, "latency by that of the baseline's fp32 file", "", with_library)


def size_plot(comparison: Comparison, *, with_library: bool) -> str:
    """The primary metric against the file's size."""
    lines: dict[str, list[Point]] = {
        _title(run): [
            ("baseline", run.baseline.bytes, run.baseline.metrics[comparison.primary]),
            *((one.precision, one.bytes, one.metrics[comparison.primary]) for one in run.candidates),
        ]
        for run in comparison.runs
    }
    return _scatter(comparison, lines, "file size, in bytes", "~s", with_library)


def sensitivity_plot(run: SensitivityRun, metric: str, *, with_library: bool) -> str:
    """The metric against the share of channels removed, a line for each group, coloured from the first to the last."""
    from plotly import colors, graph_objects

    last = max(len(run.curves) - 1, 1)
    shades = colors.sample_colorscale("Viridis", [0.9 * place / last for place in range(len(run.curves))])
    plot = graph_objects.Figure()
    for curve, shade in zip(run.curves, shades, strict=True):
        plot.add_trace(
            graph_objects.Scatter(
                x=[0.0, *(point.removed / curve.channels for point in curve.points)],
                y=[run.baseline, *(point.metric for point in curve.points)],
                mode="markers+lines",
                line={"color": shade, "width": 1.5},
                marker={"size": 7},
                name=curve.group,
                text=[
                    f"all {curve.channels}",
                    *(f"{point.removed} of {curve.channels} gone" for point in curve.points),
                ],
                hovertemplate="%{text}<br>%{y:.2%}",
            )
        )
    layout = {"title": "share of the group's channels removed", "rangemode": "tozero", "tickformat": ".0%"}
    legend = {"orientation": "v", "font": {"size": 11}}
    y = {"title": metric, "tickformat": ".1%"}
    return _fragment(plot, layout, y, legend, height=460, with_library=with_library)


def _title(run: RunResult) -> str:
    return f"{run.backend}, seed {run.seed}"


def _scatter(
    comparison: Comparison, lines: dict[str, list[Point]], title: str, tickformat: str, with_library: bool
) -> str:
    from plotly import graph_objects

    backends = tuple(dict.fromkeys(run.backend for run in comparison.runs))
    shares = is_share(y for points in lines.values() for _, _, y in points)
    plot = graph_objects.Figure()
    for run in comparison.runs:
        points = lines[_title(run)]
        colour = _COLOURS[backends.index(run.backend) % len(_COLOURS)]
        plot.add_trace(
            graph_objects.Scatter(
                x=[x for _, x, _ in points],
                y=[y for _, _, y in points],
                mode="markers+lines",
                line={"color": colour, "width": 1, "dash": "dot"},
                marker={
                    "size": 12,
                    "symbol": [_SHAPES.get(name, _QUANTIZED) for name, _, _ in points],
                    "color": colour,
                },
                name=_title(run),
                text=[name for name, _, _ in points],
                hovertemplate=f"%{{text}}<br>%{{x:.4s}}<br>%{{y:{'.2%' if shares else '.4g'}}}",
            )
        )
    layout = {"title": title, "rangemode": "tozero", "tickformat": tickformat}
    legend = {"orientation": "h", "y": 1.14}
    y = {"title": comparison.primary, "tickformat": ".1%" if shares else ""}
    return _fragment(plot, layout, y, legend, height=320, with_library=with_library)


def _fragment(
    plot: Any, x: dict[str, str], y: dict[str, str], legend: dict[str, Any], *, height: int, with_library: bool
) -> str:
    """An HTML fragment; with the library inside it, a page needs nothing else."""
    plot.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 60, "r": 20, "t": 10, "b": 50},
        xaxis=x,
        yaxis=y,
        legend=legend,
        showlegend=True,
    )
    fragment: str = plot.to_html(
        full_html=False, include_plotlyjs=with_library, config={"displayModeBar": False, "responsive": True}
    )
    return fragment
