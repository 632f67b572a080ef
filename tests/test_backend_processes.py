"""The processes that tests ask: one that dies or hangs fails its own test, and those after it are answered."""

from __future__ import annotations

import os
import time

import backend_processes
import pytest
from backend_processes import BackendProcess, ask_all


def main(backend, what):
    """What a process does that was asked here."""
    if what == "die":
        os._exit(1)
    if what == "hang":
        time.sleep(600)
    return [backend, what]


@pytest.fixture
def processes(tmp_path):
    made = {name: BackendProcess(name, tmp_path) for name in ("one", "other")}
    yield made
    for process in made.values():
        process.close()


def test_a_process_that_died_is_replaced_and_no_answer_is_left_for_the_next_question(processes):
    with pytest.raises(AssertionError, match="process of one died"):
        ask_all(processes, __name__, {"one": "die", "other": "work"})
    assert processes["other"].ask(__name__, "next") == ["other", "next"]
    processes["other"]._process.kill()
    processes["other"]._process.wait()
    ask_all(processes, __name__, {"one": "work", "other": "work"})
    assert processes["one"].ask(__name__, "last") == ["one", "last"]


def test_a_process_that_hangs_is_killed(processes, monkeypatch):
    monkeypatch.setattr(backend_processes, "PATIENCE", 0.2)
    with pytest.raises(AssertionError, match="no answer"):
        processes["one"].ask(__name__, "hang")
