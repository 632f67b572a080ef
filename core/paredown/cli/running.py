"""`run`, `compare` and `export`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from paredown import api
from paredown.cli.parser import UsageError
from paredown.cli.progress import Progress
from paredown.comparison import COMPARISON, run_all, write_comparison
from paredown.engine import artifact
from paredown.engine.trust import trusting
from paredown.errors import SpecError
from paredown.manager import Manager
from paredown.report.html import REPORT, write_report
from paredown.report.terminal import print_comparison
from paredown.results import Comparison, Failure
from paredown.spec.loader import load_spec, require_complete
from paredown.spec.models import Spec

if TYPE_CHECKING:
    from rich.console import Console

DONE, MISSED, FAILED = 0, 1, 3
_PLAIN_WIDTH = 180


def run(given: Namespace) -> int:
    """Runs one backend and prints its table; returns the exit code."""
    manager, spec = _load(given.spec)
    if given.backend and len(set(given.backend)) > 1:
        raise UsageError(
            "`run` takes one backend",
            where="--backend",
            value=", ".join(given.backend),
            remedy="use `paredown compare` for several",
        )
    backends = given.backend or [spec.backends[0]]
    comparison, _ = _run(manager, spec, backends, given)
    _show(comparison, as_json=given.json)
    return exit_code(comparison)


def compare(given: Namespace) -> int:
    """Runs every backend, writes the comparison and the report, and prints the table; returns the exit code."""
    manager, spec = _load(given.spec)
    comparison, directory = _run(manager, spec, given.backend or spec.backends, given)
    write_comparison(comparison, directory)
    write_report(comparison, directory, manager)
    _show(comparison, as_json=given.json)
    if not given.json:
        print(f"report: {directory / REPORT}\ndata:   {directory / COMPARISON}")
    return exit_code(comparison)


def export(given: Namespace) -> int:
    """Exports a run's network and says which files were written."""
    source = artifact.find_run(given.directory)
    target = given.out or source / f"export-{given.format}"
    trust = trusting(given.trust, Path.cwd())
    written = artifact.export(Manager.discover(), source, target, given.format, trust=trust)
    if given.json:
        print(json.dumps({"files": [str(path) for path in written]}))
    else:
        print("\n".join(str(path) for path in written))
    return DONE


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
    manager: Manager, spec: Spec, backends: list[str] | tuple[str, ...], given: Namespace
) -> tuple[Comparison, Path]:
    chosen = list(dict.fromkeys(backends))
    seeds = list(dict.fromkeys(given.seed or spec.seeds))
    require_choice(manager, spec, chosen, seeds)
    directory = api.output_directory(spec, given.out)
    with Progress(quiet=given.quiet or given.json) as progress:
        comparison = run_all(
            manager,
            spec,
            directory,
            backends=chosen,
            seeds=seeds,
            base_dir=given.spec.resolve().parent,
            fresh=given.fresh,
            listener=progress,
            trust=given.trust,
        )
    return comparison, directory


def require_choice(manager: Manager, spec: Spec, backends: list[str], seeds: list[int]) -> None:
    """Checks `--backend` and `--seed`, and names them where they are wrong."""
    try:
        api.require_choice(manager, spec, backends, seeds)
    except SpecError as error:
        raise SpecError.of([replace(problem, where=_option(problem.where)) for problem in error.problems]) from None


def _option(where: str | None) -> str | None:
    field = (where or "").partition("[")[0]
    return {"backends": "--backend", "seeds": "--seed"}.get(field, where)


def _show(comparison: Comparison, *, as_json: bool) -> None:
    if as_json:
        print(comparison.model_dump_json(indent=1))
        return
    if not comparison.runs:
        print_failures(comparison.failures)
        return
    print_comparison(comparison, console())


def print_failures(failures: Sequence[Failure]) -> None:
    """Says on standard error why nothing was done."""
    for problem in (problem for failure in failures for problem in failure.problems):
        print(f"error: {problem.render()}", file=sys.stderr)


def console() -> Console:
    """Standard output, wide where it is no terminal, so that no table is broken in a file."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=_PLAIN_WIDTH)
