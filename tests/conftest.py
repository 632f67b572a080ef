"""What all tests share: one thread, one framework a process, a cache of baselines of their own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

HERE = Path(__file__).parent
FRAMEWORKS = ("torch", "paddle")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a framework come first, each framework's in a group of its own: xdist gives each group one process."""
    for item in items:
        framework = framework_of(item)
        if framework:
            item.add_marker(pytest.mark.xdist_group(framework))
    items.sort(key=lambda item: FRAMEWORKS.index(framework_of(item)) if framework_of(item) else len(FRAMEWORKS))


def framework_of(item: pytest.Item) -> str:
    """The framework whose directory a test lies in, or nothing."""
    top = item.path.relative_to(HERE).parts[0]
    return top if top in FRAMEWORKS else ""


@pytest.fixture(autouse=True)
def _one_framework_a_process():
    yield
    loaded = [name for name in FRAMEWORKS if name in sys.modules]
    assert len(loaded) < 2, f"this process holds {loaded}: a test belongs in another directory, or in a subprocess"


@pytest.fixture(scope="session")
def baseline_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this session's runs keep trained baselines; the same for both workers."""
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if os.environ.get("PYTEST_XDIST_WORKER") else root
    return shared / "baselines"


@pytest.fixture(autouse=True)
def _private_cache(baseline_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAREDOWN_CACHE", str(baseline_cache))
