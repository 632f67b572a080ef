"""`run`, `compare` and `export`."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from paredown.cli.progress import Progress
from paredown.comparison import COMPARISON, run_all, write_comparison
from paredown.engine import artifact
from paredown.errors import ParedownError
from paredown.manager import Manager
from paredown.report.html import REPORT, write_report
from paredown.report.terminal import print_comparison
from paredown.results import Comparison
from paredown.spec.loader import load_spec, require_complete
from paredown.spec.models import Spec

DONE, MISSED, FAILED = 0, 1, 3
_PLAIN_WIDTH = 160


def run(
    path: Path,
    backends: list[str] | None,
    seeds: list[int] | None,
    out: Path | None,
    *,
    fresh: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Runs one backend and prints its table; returns the exit code."""
    manager, spec = _load(path)
    comparison, _ = _run(manager, spec, path, backends or [spec.backends[0]], seeds, out, fresh, quiet or as_json)
    _show(comparison, as_json=as_json)
    return exit_code(comparison)


def compare(
    path: Path,
    backends: list[str] | None,
    seeds: list[int] | None,
    out: Path | None,
    *,
    fresh: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Runs every backend, writes the comparison and the report, and prints the table; returns the exit code."""
    manager, spec = _load(path)
    comparison, directory = _run(manager, spec, path, backends, seeds, out, fresh, quiet or as_json)
    write_comparison(comparison, directory)
    write_report(comparison, directory, manager)
    _show(comparison, as_json=as_json)
    if not as_json:
        typer.echo(f"report: {directory / REPORT}\ndata:   {directory / COMPARISON}")
    return exit_code(comparison)


def export(directory: Path, format_name: str, out: Path | None, *, as_json: bool) -> None:
    """Exports a run's network and says which files were written."""
    source = artifact.find_run(directory)
    written = artifact.export(Manager.discover(), source, out or source / f"export-{format_name}", format_name)
    if as_json:
        typer.echo(json.dumps({"files": [str(path) for path in written]}))
    else:
        typer.echo("\n".join(str(path) for path in written))


def exit_code(comparison: Comparison) -> int:
    """What the command returns for a comparison."""
    if comparison.failures:
        return FAILED
    return MISSED if any(run.missed for run in comparison.runs) else DONE


def _load(path: Path) -> tuple[Manager, Spec]:
    manager = Manager.discover()
    spec = load_spec(path, manager.registry)
    require_complete(spec)
    return manager, spec


def _run(
    manager: Manager,
    spec: Spec,
    path: Path,
    backends: list[str] | None,
    seeds: list[int] | None,
    out: Path | None,
    fresh: bool,
    quiet: bool,
) -> tuple[Comparison, Path]:
    directory = out or Path("paredown-out") / spec.name
    if directory.exists() and not directory.is_dir():
        raise ParedownError("this is a file", where=f"--out {directory}", expected="a directory", remedy="name another")
    with Progress(quiet=quiet) as progress:
        comparison = run_all(
            manager,
            spec,
            directory,
            backends=list(dict.fromkeys(backends or spec.backends)),
            seeds=list(dict.fromkeys(seeds or spec.seeds)),
            base_dir=path.resolve().parent,
            fresh=fresh,
            listener=progress,
        )
    return comparison, directory


def _show(comparison: Comparison, *, as_json: bool) -> None:
    if as_json:
        typer.echo(comparison.model_dump_json(indent=1))
        return
    from rich.console import Console

    console = Console()
    print_comparison(comparison, console if console.is_terminal else Console(width=_PLAIN_WIDTH))
