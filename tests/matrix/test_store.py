"""What the store keeps of a cell, and when it makes one anew; no framework runs here."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest
from matrix import store
from matrix.cells import BETWEEN_BACKENDS, Cell

from paredown import files

CELL = Cell("cnn", "torch")
OWN = tuple(check for check in CELL.checks if check not in BETWEEN_BACKENDS)
CUT = {"cuts": [{"remove": [1]}]}


@pytest.fixture
def started(tmp_path, monkeypatch):
    """The processes that were started; each writes a result in which all holds, unless `code` says how it ends."""
    log = SimpleNamespace(modules=[], code=0)

    def run(command, **_):
        module, backend, network, _ = command[2:]
        log.modules.append((module, backend))
        if log.code == 0:
            write(tmp_path / f"{network}-torch", module)
        return subprocess.CompletedProcess(command, log.code)

    def write(directory, module):
        if module == "matrix.cell":
            files.write_json(directory / "cell.json", {"checks": dict.fromkeys(OWN, True)})
            files.write_json(directory / "plan.json", CUT)
        else:
            files.write_json(directory / "replay.json", {"replay": True})

    monkeypatch.setattr(store, "OUT", tmp_path)
    monkeypatch.setattr(store, "subprocess", SimpleNamespace(run=run, TimeoutExpired=subprocess.TimeoutExpired))
    monkeypatch.setattr(store, "ROOT", tmp_path)
    monkeypatch.setattr(store, "key", lambda backend: f"sources of {backend}")
    return log


def test_a_cell_is_made_and_replayed_on_the_other_backend_once(started):
    for _ in range(2):
        store.make([CELL], processes=1)
    assert started.modules == [("matrix.cell", "torch"), ("matrix.replay", "paddle")]


def test_a_cell_of_other_sources_is_made_anew(started, monkeypatch):
    store.make([CELL], processes=1)
    monkeypatch.setattr(store, "key", lambda backend: "changed")
    assert store.results([CELL]) == {}
    store.make([CELL], processes=1)
    assert len(started.modules) == 4


def test_a_process_that_dies_is_told_in_every_check_and_started_again_next_time(started):
    started.code = -8
    store.make([CELL], processes=1)
    assert store.results([CELL])[CELL]["checks"]["export"] == "killed by SIGFPE"
    store.make([CELL], processes=1)
    assert started.modules.count(("matrix.cell", "torch")) == 2


def test_plans_of_both_backends_are_compared(started, tmp_path):
    store.make([CELL], processes=1)
    other = tmp_path / "cnn-paddle" / "plan.json"
    assert store.results([CELL])[CELL]["checks"]["same plan"] == "a backend has no plan"
    files.write_json(other, CUT)
    assert store.results([CELL])[CELL]["checks"]["same plan"] is True
    files.write_json(other, {"cuts": [{"remove": [0]}]})
    assert store.results([CELL])[CELL]["checks"]["same plan"] == "1 cuts differ"


def test_the_key_is_of_a_backend():
    assert store.key("torch") == store.key("torch") != store.key("paddle")
