"""Runs the cells of the matrix that the selected tests need, once a session."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from backend_processes import BackendProcess
from matrix import store
from matrix.cells import Cell, network

from paredown.files import read_json

PROCESSES = 2


@pytest.fixture(scope="session")
def made(
    request: pytest.FixtureRequest, processes: dict[str, BackendProcess], tmp_path_factory: pytest.TempPathFactory
) -> dict[Cell, dict[str, Any]]:
    """By cell, its result; beside another worker of pytest, one process at a time.

    Where a heavy cell is among them each gets a process of its own and is kept, with what it took, for the table.
    """
    wanted = {cell for item in request.session.items if isinstance(cell := _cell_of(item), Cell)}
    # A plan is compared with the one of the other backend.
    wanted |= {Cell(cell.network, cell.other) for cell in wanted if cell.other}
    if not any(network(cell.network).heavy for cell in wanted):
        return _made_in(processes, wanted, tmp_path_factory.mktemp("matrix"))
    store.make(wanted, max(1, PROCESSES // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))
    return store.results(wanted)


def _made_in(processes: dict[str, BackendProcess], cells: Iterable[Cell], place: Path) -> dict[Cell, dict[str, Any]]:
    """The results of cells from processes that have their frameworks loaded: half of a small cell's time."""
    directories = {cell: place / str(cell) for cell in sorted(cells)}
    for cell, directory in directories.items():
        directory.mkdir()
        processes[cell.backend].ask("matrix.cell", cell.network, directory)
    found = {cell: read_json(directory / store.RESULT) for cell, directory in directories.items()}
    for cell, directory in directories.items():
        if cell.other is not None:
            processes[cell.other].ask("matrix.replay", cell.network, directory)
            plans = (directory / store.PLAN, directories[Cell(cell.network, cell.other)] / store.PLAN)
            found[cell]["checks"] |= {
                "replay": read_json(directory / store.REPLAY)["replay"],
                "same plan": store.same_plan(*plans),
            }
    return found


def _cell_of(item: pytest.Item) -> Any:
    """What a test asks for as `cell`; other folders have parameters and fixtures of the same names."""
    return item.callspec.params.get("cell") if hasattr(item, "callspec") else None
