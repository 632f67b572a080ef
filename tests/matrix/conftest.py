"""Runs the cells of the matrix that the selected tests need, once a session."""

from __future__ import annotations

import os
from typing import Any

import pytest
from matrix import store
from matrix.cells import Cell

PROCESSES = 2


@pytest.fixture(scope="session")
def made(request: pytest.FixtureRequest) -> dict[Cell, dict[str, Any]]:
    """By cell, its result; beside another worker of pytest, one process at a time."""
    wanted = {cell for item in request.session.items if isinstance(cell := _cell_of(item), Cell)}
    # A plan is compared with the one of the other backend.
    wanted |= {Cell(cell.network, cell.other) for cell in wanted if cell.other}
    store.make(wanted, max(1, PROCESSES // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))
    return store.results(wanted)


def _cell_of(item: pytest.Item) -> Any:
    """What a test asks for as `cell`; other folders have parameters and fixtures of the same names."""
    return item.callspec.params.get("cell") if hasattr(item, "callspec") else None
