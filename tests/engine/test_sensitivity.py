"""Each group pruned alone: what is measured, what is kept, and that a killed measurement goes on."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from helpers import PRUNE, paredown, small_spec, write_spec

from paredown.algorithms.groups import GroupSet
from paredown.cli.sensitivity import only_measured
from paredown.contracts import BackendInfo, DataSplits, Measurements, RunContext
from paredown.engine.networks import cache_directory
from paredown.engine.sensitivity import layers_of, measure, zeroed
from paredown.engine.workbench import Workbench
from paredown.manager import Manager
from paredown.markers import hookimpl
from paredown.plan import Cut, Group, Member
from paredown.results import Sensitivity
from paredown.spec.loader import load_spec

RATIOS = (0.25, 0.5, 0.75)
FIRST = Group(
    name="first.weight",
    size=4,
    members=(
        Member(parameter="first.weight", axis=0, role="output"),
        Member(parameter="first.bias", axis=0, role="bias"),
        Member(parameter="second.weight", axis=1, role="input"),
    ),
)
SECOND = Group(
    name="second.weight",
    size=2,
    members=(
        Member(parameter="second.weight", axis=0, channels=(0, 0, 1, 1), role="output"),
        Member(parameter="second.mean", axis=0, channels=(0, 0, 1, 1), role="buffer"),
        Member(parameter="last.weight", axis=1, channels=(0, 0, 1, 1), role="input"),
    ),
)
GROUPS = GroupSet((FIRST, SECOND), {"last": "its outputs are the network's"})
SCORES = {"first.weight": np.arange(4.0), "second.weight": np.array([2.0, 1.0])}


class Toy:
    """Networks are dictionaries: three matrices with ReLU between, and statistics that are subtracted."""

    def __init__(self):
        self.dies_at = None
        self.evaluations = 0

    @hookimpl
    def register_backend(self):
        return BackendInfo("toy", "Toy", (), "nothing", ("cnn",), ("toy", "Toy"))

    @hookimpl
    def fold(self, backend, model, folds):
        return {name: values.copy() for name, values in model.items()}

    @hookimpl
    def restore(self, backend, model, state):
        model.update(state)
        return model

    @hookimpl
    def measure(self, backend, model, request):
        return Measurements()

    @hookimpl
    def evaluate(self, backend, model, images):
        self.evaluations += 1
        if self.evaluations == self.dies_at:
            raise KeyboardInterrupt
        hidden = np.maximum(images.reshape(len(images), -1) @ model["first.weight"].T + model["first.bias"], 0)
        hidden = np.maximum(hidden @ model["second.weight"].T - model["second.mean"], 0)
        return hidden @ model["last.weight"].T


@pytest.fixture
def toy():
    return Toy()


@pytest.fixture
def state():
    rng = np.random.default_rng(0)
    shapes = {
        "first.weight": (4, 4),
        "first.bias": (4,),
        "second.weight": (4, 4),
        "second.mean": (4,),
        "last.weight": (3, 4),
    }
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def bench(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("PAREDOWN_CACHE", str(tmp_path / "cache"))
    manager = Manager.discover()
    manager.register(toy, "toy")
    model = {"kind": "zoo", "name": "cnn", "num_classes": 3, "in_channels": 1, "input_size": [2, 2]}
    spec = load_spec(small_spec(backends=["toy"], model=model), manager.registry)
    told = []
    bench = Workbench(manager, "toy", spec, RunContext(), lambda event, **fields: told.append(fields.get("text")))
    rng = np.random.default_rng(1)
    split = rng.normal(size=(60, 1, 2, 2)).astype(np.float32), rng.integers(0, 3, 60)
    bench.data = DataSplits("drawn", split, split, split, 3)
    bench.told = told
    return bench


def test_every_group_is_measured_alone_at_every_ratio(bench, toy, state):
    found = measure(bench, dict(state), state, GROUPS, SCORES, RATIOS)
    assert [curve.group for curve in found.curves] == ["first.weight", "second.weight"]
    assert [point.removed for point in found.curves[0].points] == [1, 2, 3]
    assert found.curves[0].layers == ("first",)
    for curve in found.curves:
        assert [point.ratio for point in curve.points] == list(RATIOS)
        assert all(point.drop == found.baseline - point.metric for point in curve.points)


def test_zeroing_a_group_gives_the_outputs_of_cutting_it(bench, toy, state):
    images = bench.data.validation[0]
    for remove in itertools.chain.from_iterable(itertools.combinations(range(4), n) for n in (1, 2, 3)):
        cut = {name: values.copy() for name, values in state.items()}
        for name, axis in (("first.weight", 0), ("first.bias", 0), ("second.weight", 1)):
            cut[name] = np.delete(cut[name], remove, axis=axis)
        silent = zeroed(state, Cut(group=FIRST, remove=remove))
        np.testing.assert_allclose(
            toy.evaluate("toy", silent, images), toy.evaluate("toy", cut, images), rtol=1e-5, atol=1e-5
        )


def test_a_channel_takes_all_its_positions_with_it_and_leaves_statistics_alone(state):
    silent = zeroed(state, Cut(group=SECOND, remove=(1,)))
    np.testing.assert_array_equal(silent["second.weight"][2:], 0)
    np.testing.assert_array_equal(silent["last.weight"][:, 2:], 0)
    np.testing.assert_array_equal(silent["second.weight"][:2], state["second.weight"][:2])
    np.testing.assert_array_equal(silent["second.mean"], state["second.mean"])
    assert state["second.weight"].all()


def test_the_network_itself_is_not_changed(bench, state):
    model = {name: values.copy() for name, values in state.items()}
    measure(bench, model, state, GROUPS, SCORES, RATIOS)
    assert all(np.array_equal(model[name], state[name]) for name in state)


def test_at_least_one_channel_goes_where_a_ratio_is_less_than_one(bench, state):
    found = measure(bench, dict(state), state, GROUPS, SCORES, (0.1,))
    assert [curve.points[0].removed for curve in found.curves] == [1, 1]


def test_a_group_without_scores_has_no_curve(bench, state):
    found = measure(bench, dict(state), state, GROUPS, SCORES | {"first.weight": None}, RATIOS)
    assert [curve.group for curve in found.curves] == ["second.weight"]


def test_what_was_measured_before_an_interruption_is_not_measured_again(bench, toy, state):
    toy.dies_at = 4  # the whole network, two ratios of the first group, and there it ends
    with pytest.raises(KeyboardInterrupt):
        measure(bench, dict(state), state, GROUPS, SCORES, RATIOS)
    toy.dies_at, toy.evaluations = None, 0
    again = measure(bench, dict(state), state, GROUPS, SCORES, RATIOS)
    # One is left of the first group; of the second all ratios remove the same channel.
    assert (again.measured, again.reused) == (2, 4)
    assert toy.evaluations == 1 + again.measured


def test_another_criterion_that_removes_the_same_channels_shares_the_measurement(bench, state):
    measure(bench, dict(state), state, GROUPS, SCORES, RATIOS)
    other = SCORES | {"first.weight": np.array([0.0, 3.0, 2.0, 1.0])}
    found = measure(bench, dict(state), state, GROUPS, other, RATIOS)
    assert (found.measured, found.reused) == (2, 4)  # 0 goes first in both; then 3 instead of 1


@pytest.mark.parametrize("what", ["weights", "labels", "function"])
def test_other_weights_data_or_network_share_nothing(bench, state, what, monkeypatch):
    measure(bench, dict(state), state, GROUPS, SCORES, RATIOS)
    if what == "weights":
        state = state | {"first.bias": state["first.bias"] + 1}
    elif what == "labels":
        images, labels = bench.data.validation
        other = images, (labels + 1) % 3
        bench.data = DataSplits("drawn", other, other, other, 3)
    else:
        answers = bench.answers
        monkeypatch.setattr(bench, "answers", lambda model, split: (-one for one in answers(model, split)))
    assert measure(bench, dict(state), state, GROUPS, SCORES, RATIOS).measured == 4


def test_fresh_measures_all_anew(bench, state):
    first = measure(bench, dict(state), state, GROUPS, SCORES, RATIOS)
    again = measure(bench, dict(state), state, GROUPS, SCORES, RATIOS, fresh=True)
    assert (again.measured, again.reused) == (first.measured, first.reused)
    assert again.curves == first.curves


@pytest.mark.parametrize("damage", ["", "{", '{"version": 2}', '{"version": 1, "metrics": {"a": "b"}}', "[]"])
def test_a_damaged_file_of_the_cache_is_as_good_as_none(bench, state, damage):
    whole = measure(bench, dict(state), state, GROUPS, SCORES, RATIOS)
    (kept,) = (cache_directory() / "sensitivity").iterdir()
    kept.write_text(damage)
    assert measure(bench, dict(state), state, GROUPS, SCORES, RATIOS) == whole
    assert json.loads(kept.read_text())["version"] == 1


def test_a_cache_that_cannot_be_written_is_noted_once_and_costs_nothing_else(bench, state, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("PAREDOWN_CACHE", str(tmp_path / "file"))
    found = measure(bench, dict(state), state, GROUPS, SCORES, RATIOS)
    assert len(found.curves) == 2
    assert sum("not kept" in text for text in bench.told) == 1


def test_the_layers_of_a_group_are_those_whose_outputs_it_holds():
    residual = FIRST.model_copy(
        update={"members": (*FIRST.members, Member(parameter="other.weight", axis=0, role="output"))}
    )
    assert layers_of(residual) == ("first", "other")


@pytest.fixture(scope="module", params=["torch", "paddle"])
def case(request, tmp_path_factory, runners):
    """A spec, and what the command says of its sensitivity when nothing interrupts the measurement."""
    place = tmp_path_factory.mktemp(f"sensitivity-{request.param}")
    path = write_spec(place / "spec.yaml", small_spec(steps=[PRUNE]))
    command = ("sensitivity", path, "--backend", request.param, "--out", place / "whole")
    done = paredown(*command, env={"PAREDOWN_CACHE": str(place / "cache")})
    assert done.returncode == 0, done.stderr
    whole = Sensitivity.model_validate_json((place / "whole" / "sensitivity.json").read_text())
    manager = Manager.discover()
    spec = only_measured(manager, load_spec(small_spec(steps=[PRUNE]), manager.registry), None, None)
    return runners[request.param], spec.model_dump(mode="json"), place, whole


def test_a_measurement_killed_on_the_way_goes_on_and_finds_the_same(case):
    runner, spec, place, whole = case
    command = ("sensitivity", place / "spec.yaml", "--backend", whole.runs[0].backend, "--out", place / "killed")
    killed = subprocess.Popen(
        [sys.executable, "-m", "paredown", *map(str, command)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PAREDOWN_CACHE": str(place / "other-cache")},
    )
    for line in killed.stderr:
        if "group 2 of" in line:
            killed.send_signal(signal.SIGKILL)
            break
    killed.wait()
    killed.stderr.close()
    wait_for_worker(place / "killed" / "sensitivity" / whole.runs[0].backend)
    again = runner.sensitivity(spec, place / "killed", place / "other-cache")
    assert again.curves == whole.runs[0].curves
    assert again.reused >= len(whole.ratios)
    assert again.measured > 0


def wait_for_worker(directory):
    """The worker ends when its parent is gone; its lock goes with it."""
    import fcntl

    with (directory / ".seed-0.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def test_a_second_measurement_is_read_from_the_cache(case):
    runner, spec, place, whole = case
    run = runner.sensitivity(spec, place / "elsewhere", place / "cache")
    assert run.measured == 0
    assert run.curves == whole.runs[0].curves


def test_a_page_that_needs_nothing_else_stands_beside_the_figures(case):
    *_, place, whole = case
    page = (place / "whole" / "sensitivity.html").read_text()
    assert "Plotly.newPlot" in page
    assert all(curve.group in page for curve in whole.runs[0].curves)
    assert not [path for path in (place / "whole").rglob(".*") if path.suffix != ".lock"]
