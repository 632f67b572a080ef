"""Accuracy against latency and against size, one colour a backend, one shape a kind of file."""

from __future__ import annotations

from paredown.results import Comparison, Figures, RunResult

_COLOURS = ("#c8553d", "#2b6cb0", "#4f772d", "#7b4fa3")
_SHAPES = {"baseline": "circle-open", "fp32": "square", "int8": "diamond"}


def accuracy_plot(comparison: Comparison, figure: str, title: str, *, first: bool) -> str:
    """A scatter plot as an HTML fragment; the first of a page carries the library, so that the page stands alone."""
    from plotly import graph_objects

    plot = graph_objects.Figure()
    colours = dict(
        zip(dict.fromkeys(run.backend for run in comparison.runs), _COLOURS * len(comparison.runs), strict=False)
    )
    for run in comparison.runs:
        points = _points(run)
        plot.add_trace(
            graph_objects.Scatter(
                x=[getattr(figures, figure) for _, figures in points],
                y=[figures.metrics[comparison.primary] for _, figures in points],
                mode="markers+lines",
                line={"color": colours[run.backend], "width": 1, "dash": "dot"},
                marker={"size": 12, "symbol": [_SHAPES[name] for name, _ in points], "color": colours[run.backend]},
                name=f"{run.backend}, seed {run.seed}",
                text=[name for name, _ in points],
                hovertemplate="%{text}<br>%{x}<br>%{y:.2%}",
            )
        )
    plot.update_layout(
        template="plotly_white",
        height=360,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        xaxis={"title": title, "rangemode": "tozero"},
        yaxis={"title": comparison.primary, "tickformat": ".1%"},
        legend={"orientation": "h", "y": 1.12},
    )
    fragment: str = plot.to_html(
        full_html=False, include_plotlyjs=first, config={"displaylogo": False, "responsive": True}
    )
    return fragment


def _points(run: RunResult) -> list[tuple[str, Figures]]:
    return [("baseline", run.baseline), *((one.precision, one) for one in run.candidates)]
