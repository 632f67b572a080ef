"""The comparison as a table in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from paredown.report.quantization import weight_lines
from paredown.report.rows import ZEROS_NOTE, blocks, columns, shows_zeros
from paredown.results import Comparison, RunResult


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Prints the table, the agreement between backends, and what was missed or failed."""
    table = Table(title=comparison.name, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns(comparison)):
        table.add_column(column, justify="right" if index else "left", no_wrap=index == 0)
    for block in blocks(comparison):
        table.add_row(f"[bold]{block.title}[/bold]")
        for row in block.rows:
            mark = "[green]>[/green] " if row.delivered else "  "
            table.add_row(mark + row.label, *map(str, row.cells))
    console.print(table)
    if comparison.runs:
        console.print("  > delivered; metrics on the test split, of the file in the runtime", style="dim")
    if shows_zeros(comparison):
        console.print(f"  {ZEROS_NOTE}", style="dim")
    for one in comparison.agreement:
        said = (
            "neither delivered file predicts anything on the test images: nothing to compare"
            if one.predictions is None
            else f"the delivered files agree on {one.predictions:.1%} of the test images"
        )
        console.print(f"{one.backends[0]} and {one.backends[1]}, seed {one.seed}: {said}")
    for run in comparison.runs:
        for line in weight_lines(run):
            console.print(f"{run.backend}, seed {run.seed}: {line}", style="dim", highlight=False)
        for note in run.notes:
            console.print(f"{run.backend}, seed {run.seed}: note: {note}")
        for reason in run.choice if _stayed_float(run) else ():
            console.print(f"{run.backend}, seed {run.seed}: {reason}", style="dim", highlight=False)
        for missed in run.missed:
            console.print(f"{run.backend}, seed {run.seed}: missed: {missed}", style="yellow")
    for failure in comparison.failures:
        console.print(f"{failure.backend}, seed {failure.seed}: failed", style="red")
        for problem in failure.problems:
            console.print(problem.render(), markup=False, highlight=False)


def _stayed_float(run: RunResult) -> bool:
    """Whether something smaller was made and not delivered: worth a line where a smaller float file is not."""
    return any(one.delivered and one.precision == "fp32" for one in run.candidates)
