"""Sensitivity for people: a table in the terminal, and one self-contained page with a plot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paredown import files
from paredown.report.html import environment
from paredown.report.plots import sensitivity_plot
from paredown.results import Sensitivity, SensitivityRun

if TYPE_CHECKING:
    from rich.console import Console

PAGE = "sensitivity.html"


@dataclass(frozen=True, slots=True)
class Table:
    """One run: its title, and a row for each group as texts."""

    title: str
    rows: tuple[tuple[str, ...], ...]


def write_page(found: Sensitivity, out: Path) -> Path:
    """Writes `sensitivity.html` and returns its path."""
    path = out / PAGE
    files.write_text(path, render(found))
    return path


def render(found: Sensitivity) -> str:
    """The page as text; everything that comes from a spec is escaped."""
    runs = [
        (run, table(run, found.metric), sensitivity_plot(run, found.metric, with_library=index == 0))
        for index, run in enumerate(found.runs)
    ]
    template = environment().get_template("sensitivity.html.j2")
    page: str = template.render(found=found, runs=runs, columns=columns(found), explained=explained(found))
    return page


def print_sensitivity(found: Sensitivity, console: Console) -> None:
    """Prints a table for each run, the layers without a curve, and what failed."""
    from rich.table import Table as Shown

    for run in found.runs:
        content = table(run, found.metric)
        console.print(content.title, style="bold", highlight=False)
        shown = Shown(box=None, pad_edge=False)
        for index, column in enumerate(columns(found)):
            shown.add_column(column, justify="right" if index else "left", no_wrap=index == 0)
        for row in content.rows:
            shown.add_row(*row)
        console.print(shown)
        for note in run.notes:
            console.print(f"  note: {note}", markup=False)
        for layer, reason in run.left_whole.items():
            console.print(f"  {layer} has no curve: {reason}", style="dim", markup=False, highlight=False)
    console.print(f"  {explained(found)}", style="dim", markup=False, highlight=False)
    for failure in found.failures:
        console.print(f"{failure.backend}, seed {failure.seed}: failed", style="red")
        for problem in failure.problems:
            console.print(problem.render(), markup=False, highlight=False)


def columns(found: Sensitivity) -> tuple[str, ...]:
    """The columns of the table: the group, its channels, the drop at each ratio."""
    return ("group", "channels", *(f"-{ratio:.0%}" if _is_round(ratio) else f"-{ratio:.1%}" for ratio in found.ratios))


def table(run: SensitivityRun, metric: str) -> Table:
    """The rows of one run, in the order of the network; drops in percentage points."""
    title = f"{run.backend}, seed {run.seed}: {metric} {run.baseline:.2%} on validation with every channel"
    rows = (
        (curve.group, str(curve.channels), *(f"{100 * point.drop:.2f}" for point in curve.points))
        for curve in run.curves
    )
    return Table(title, tuple(rows))


def explained(found: Sensitivity) -> str:
    """What the figures are, in a sentence."""
    return (
        f"Percentage points of {found.metric} that the network loses on {found.split}, without training, when one"
        f" group of coupled channels alone loses a share of its channels, the least important by"
        f" `{found.criterion['kind']}`. A negative figure is a gain."
    )


def _is_round(ratio: float) -> bool:
    return abs(100 * ratio - round(100 * ratio)) < 1e-9
