"""Runs of many specs."""

from __future__ import annotations

import pytest
from whole_runs import Runner


@pytest.fixture(scope="session")
def runners(processes):
    """By backend, what runs specs on it."""
    return {backend: Runner(process) for backend, process in processes.items()}
