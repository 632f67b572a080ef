"""What `make bench-tasks` says of a task of which no run finished, and of one that failed after it had finished."""

from __future__ import annotations

import sys

import pytest
from helpers import ROOT

from paredown.errors import ModelError
from paredown.results import Comparison

NOTHING = Comparison(name="any", spec={}, primary="top1", runs=())


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "tasks"))
    names = ("run", "summary", "subject", "clock", "report", "figure")
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    import run as module

    monkeypatch.setattr(module, "OUT", tmp_path)
    yield module
    for name in names:
        sys.modules.pop(name, None)


def test_of_a_task_without_a_finished_run_every_bound_is_open(run):
    results = run.summarise({"classification": (NOTHING, {}, {})})
    assert set(results["bounds"].values()) == {"open"}
    assert run.report.render(results)
    assert run.figure.draw(results)


def test_a_task_that_failed_is_not_told_from_an_earlier_run_as_complete(run, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise ModelError("it is another run", where="here")

    monkeypatch.setattr(run.paredown, "compare", fail)
    place = tmp_path / "classification"
    place.mkdir()
    run.files.write_json(place / "compare.json", NOTHING.model_dump(mode="json"))
    run._run("classification")
    (failure,) = run.summarise({"classification": run._read(place)})["tasks"]["classification"]["failures"]
    assert "it is another run" in str(failure)
    monkeypatch.setattr(run.paredown, "compare", lambda *_, **__: NOTHING)
    run._run("classification")
    assert run._read(place)[2] == {}


def heard(run, place, commit, *stages):
    """The clock of one run with these stages, of which the last is `end`."""
    clock = run.Clock(place, {"commit": commit, "changed": False})
    clock.start("torch", 0)
    for stage in stages:
        clock.event("torch", 0, {"event": "stage", "text": stage})
    clock.finish("torch", 0, None)
    return clock


def begin(place):
    """What a run leaves in its directory first."""
    directory = place / "torch" / "seed-0"
    directory.mkdir(parents=True)
    (directory / "spec.json").write_text("{}")


def test_a_finished_run_keeps_the_code_that_made_it(run, tmp_path):
    heard(run, tmp_path, "a", "baseline")
    begin(tmp_path)
    later = heard(run, tmp_path, "b")  # read from disk: no stage was done
    assert later.codes == {"torch": [{"commit": "a", "changed": False}]}


def test_a_run_in_the_place_of_one_that_was_removed_takes_over_the_baselines_seconds_alone(run, tmp_path):
    begin(tmp_path)
    first = heard(run, tmp_path, "a", "baseline", "step 0: prune")
    assert first.seconds["torch"].keys() == {"start", "baseline", "step 0: prune"}
    (tmp_path / "torch" / "seed-0" / "spec.json").unlink()
    later = heard(run, tmp_path, "b", "step 0: quantize")
    assert later.seconds["torch"].keys() == {"start", "baseline", "step 0: quantize"}
    assert later.codes == {"torch": [{"commit": "b", "changed": False}]}
