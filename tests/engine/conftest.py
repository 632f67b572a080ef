"""Runs of many specs, for the tests of one file."""

from __future__ import annotations

import pytest
from whole_runs import Runner


@pytest.fixture(scope="module")
def runners(baseline_cache):
    """By backend, what runs specs on it."""
    found = {backend: Runner(backend, baseline_cache) for backend in ("torch", "paddle")}
    yield found
    for runner in found.values():
        runner.close()
