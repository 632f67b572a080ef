"""What all tests share: one thread, one framework a process, a cache of baselines of their own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from backend_processes import BackendProcess

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

HERE = Path(__file__).parent
FRAMEWORKS = ("torch", "paddle")
ONE_WORKER = (*FRAMEWORKS, "agreement", "cli")
"""Directories whose tests share a process: a framework's, and those that compare what is made once a session."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a framework come first, so that each framework gets a worker of its own."""
    items.sort(key=lambda item: FRAMEWORKS.index(framework_of(item)) if framework_of(item) else len(FRAMEWORKS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Gives each directory of `ONE_WORKER` to one worker whole, and all other files one by one.

    The mark `xdist_group` would say the same, and does nothing under pytest 9.2 (pytest-xdist issue 1386).
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByDirectory(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            parts = Path(nodeid.partition("::")[0]).parts
            return next((name for name in ONE_WORKER if (HERE.name, name) == parts[:2]), nodeid.partition("::")[0])

    return ByDirectory(config, log)


def framework_of(item: pytest.Item) -> str:
    """The framework whose directory a test lies in, or nothing."""
    top = item.path.relative_to(HERE).parts[0]
    return top if top in FRAMEWORKS else ""


@pytest.fixture(autouse=True)
def _frameworks_stay_in_their_directories(request: pytest.FixtureRequest):
    # Collecting tests/torch imports torch in every worker; with one thread that does the paddle worker no harm.
    before = sys.modules.keys() & set(FRAMEWORKS)
    yield
    strangers = sys.modules.keys() & set(FRAMEWORKS) - before - {framework_of(request.node)}
    assert not strangers, f"this test imported {strangers}: it belongs in another directory, or in a subprocess"


@pytest.fixture(scope="session")
def baseline_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this session's runs keep trained baselines; the same for both workers."""
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if os.environ.get("PYTEST_XDIST_WORKER") else root
    return shared / "baselines"


@pytest.fixture(scope="session")
def processes(baseline_cache: Path):
    """By backend, a process that does what tests ask of it; they share it."""
    started = {backend: BackendProcess(backend, baseline_cache) for backend in FRAMEWORKS}
    yield started
    for process in started.values():
        process.close()


@pytest.fixture(autouse=True)
def _private_cache(baseline_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAREDOWN_CACHE", str(baseline_cache))
