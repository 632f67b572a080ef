"""Runs both backends once, each in a process of its own, for all tests of this directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from agreement.networks import FRAMEWORKS

HERE = Path(__file__).parent
MINUTES = 20


@pytest.fixture(scope="session")
def produced(tmp_path_factory: pytest.TempPathFactory, baseline_cache: Path) -> dict[str, Path]:
    """By backend, the directory that `produce.py` filled."""
    directories = {name: tmp_path_factory.mktemp(name) for name in FRAMEWORKS}
    run_on_both("produce.py", directories, baseline_cache)
    return directories


@pytest.fixture(scope="session")
def exchanged(produced: dict[str, Path], baseline_cache: Path) -> dict[str, Path]:
    """The same directories, with the outputs of each backend's networks loaded on the other."""
    torch, paddle = FRAMEWORKS
    run_on_both("exchange.py", {torch: produced[paddle], paddle: produced[torch]}, baseline_cache)
    return produced


def run_on_both(script: str, directories: dict[str, Path], cache: Path) -> None:
    """Runs a script for both backends side by side."""
    environment = {**os.environ, "PAREDOWN_CACHE": str(cache)}
    processes = {
        backend: subprocess.Popen(
            [sys.executable, str(HERE / script), backend, str(directory)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        for backend, directory in directories.items()
    }
    outputs = {backend: process.communicate(timeout=60 * MINUTES)[0] for backend, process in processes.items()}
    failed = [backend for backend, process in processes.items() if process.returncode]
    assert not failed, "\n".join(f"{script} {backend}:\n{outputs[backend][-4000:]}" for backend in failed)
