"""Writes the table of docs/networks.md, and results.json beside this file, from the cells under out/matrix.

PYTHONPATH=tests python -m matrix.table
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from helpers import ROOT
from matrix import store
from matrix.bench import workbench
from matrix.cells import CELLS, GAPS, Cell

from paredown import files
from paredown.engine.provenance import gather
from paredown.manager import Manager

PAGE = ROOT / "docs" / "networks.md"
RESULTS = Path(__file__).with_name("results.json")
BEGIN, END = "<!-- table: written by make matrix -->", "<!-- end of table -->"
HEADER = (
    "| network | backend | input | parameters | MACs | groups cut | cut by | left whole | checks |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def main() -> int:
    """Writes both files; says what is missing, and returns 1, where a cell has not been run."""
    found = store.results(CELLS)
    missing = [str(cell) for cell in CELLS if cell not in found]
    if missing:
        print(f"not run since the sources changed: {', '.join(missing)}: run `make matrix`", file=sys.stderr)
        return 1
    made = {"commit": _commit(), "provenance": _provenance()}
    listed = [{name: value for name, value in found[cell].items() if name != "key"} for cell in CELLS]
    files.write_json(RESULTS, {**made, "cells": listed})
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    files.write_text(PAGE, f"{before}{BEGIN}\n\n{render(found, made)}\n\n{END}{after}")
    failed = [f"{cell}: {check}" for cell in CELLS for check in _failed(cell, found[cell]["checks"])]
    print(f"{len(CELLS)} cells, {len(failed)} checks failed" + "".join(f"\n  {one}" for one in failed))
    return 1 if failed else 0


def render(found: dict[Cell, dict[str, Any]], made: dict[str, Any]) -> str:
    """The table, what was left whole, the gaps, and where it was run."""
    rows = [HEADER, *(_row(cell, found[cell]) for cell in CELLS)]
    listed = ", ".join(f"{name} {version}" for name, version in made["provenance"]["versions"].items())
    ran = f"Run at commit `{made['commit']}` on {made['provenance']['cpu']}, with {listed}."
    parts = ["\n".join(rows), "### What is left whole", _left_whole(found), "### Gaps", _gaps(found), ran]
    return "\n\n".join(parts)


def _row(cell: Cell, result: dict[str, Any]) -> str:
    shape = "x".join(map(str, result.get("input_shape", ())))
    groups = result.get("groups")
    checks = result["checks"]
    held = sum(checks[check] is True for check in cell.checks)
    failed = [check for check in cell.checks if checks[check] is not True]
    cells = (
        f"`{cell.network}`",
        cell.backend,
        shape,
        _change(result.get("params")),
        _change(result.get("macs")),
        f"{groups['cut']} of {groups['found']}" if groups else "none",
        result.get("cut_by", "nothing"),
        str(len(result["left_whole"])) if "left_whole" in result else "all",
        f"{held} of {len(cell.checks)}" + (f": not {', '.join(failed)}" if failed else ""),
    )
    return f"| {' | '.join(cells)} |"


def _change(figures: dict[str, int] | None) -> str:
    if figures is None:
        return "not cut"
    before, after = figures["before"], figures["after"]
    return f"{_short(before)} to {_short(after)} ({after / before:.2f})"


def _short(count: int) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return str(count)


def _left_whole(found: dict[Cell, dict[str, Any]]) -> str:
    """By reason, the layers of each network; those of both backends are the same, or are told apart."""
    by_reason: dict[str, dict[str, dict[str, list[str]]]] = defaultdict(lambda: defaultdict(dict))
    for cell, result in found.items():
        for layer, reason in result.get("left_whole", {}).items():
            by_reason[reason][cell.network].setdefault(cell.backend, []).append(layer)
    lines = ["| reason | layers |", "|---|---|"]
    for reason, networks in sorted(by_reason.items()):
        named = "; ".join(_named(network, backends) for network, backends in sorted(networks.items()))
        lines.append(f"| {reason} | {named} |")
    return "\n".join(lines)


def _named(network: str, backends: dict[str, list[str]]) -> str:
    lists = list(backends.values())
    if all(layers == lists[0] for layers in lists):
        return f"{network}: {_layers(lists[0])}"
    return "; ".join(f"{network} on {backend}: {_layers(layers)}" for backend, layers in backends.items())


def _layers(layers: list[str], most: int = 6) -> str:
    shown = ", ".join(f"`{layer}`" for layer in layers[:most])
    return shown if len(layers) <= most else f"{shown} and {len(layers) - most} more"


def _gaps(found: dict[Cell, dict[str, Any]]) -> str:
    lines = []
    for cell, result in found.items():
        for check in cell.checks:
            outcome, gap = result["checks"][check], GAPS.get((cell, check))
            if outcome is not True:
                told = f"{gap.kind}: {gap.reason}" if gap else f"FAILED: {' '.join(str(outcome).split())}"
                lines.append(f"- {cell.network} on {cell.backend}, {check}: {told}")
    return "\n".join(lines) or "None: every check holds on every network."


def _failed(cell: Cell, checks: dict[str, Any]) -> list[str]:
    return [check for check in cell.checks if checks[check] is not True and (cell, check) not in GAPS]


def _provenance() -> dict[str, Any]:
    manager = Manager.discover()
    distributions = [name for info in manager.registry.backends.values() for name in info.distributions]
    made = gather(distributions, workbench(manager, CELLS[0]).runtime, spec_hash="", device="cpu", threads=1)
    return made.model_dump(mode="json", exclude={"spec_hash"})


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
