"""Runs both backends once, each in its process, for all tests of this directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from agreement.networks import FRAMEWORKS
from backend_processes import BackendProcess, ask_all


@pytest.fixture(scope="session")
def produced(tmp_path_factory: pytest.TempPathFactory, processes: dict[str, BackendProcess]) -> dict[str, Path]:
    """By backend, the directory that `produce.py` filled."""
    directories = {name: tmp_path_factory.mktemp(name) for name in FRAMEWORKS}
    ask_all(processes, "agreement.produce", directories)
    return directories


@pytest.fixture(scope="session")
def exchanged(produced: dict[str, Path], processes: dict[str, BackendProcess]) -> dict[str, Path]:
    """The same directories, with the outputs of each backend's networks loaded on the other."""
    torch, paddle = FRAMEWORKS
    ask_all(processes, "agreement.exchange", {torch: produced[paddle], paddle: produced[torch]})
    return produced
