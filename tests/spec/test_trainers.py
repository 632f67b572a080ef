"""`train_on`: who may train a network for all backends, and what is said where somebody may not."""

from __future__ import annotations

import pytest
from helpers import DISTILL, PRUNE, QUANTIZE, small_spec

from paredown.engine import preflight
from paredown.errors import SpecError
from paredown.explain import explain_spec
from paredown.manager import Manager
from paredown.spec.loader import load_spec
from paredown.spec.trainings import trained_on, trainers

SHARED = {"epochs": 2, "train_on": "torch"}


@pytest.fixture(scope="module")
def manager():
    return Manager.discover()


def problems(changes, manager):
    with pytest.raises(SpecError) as caught:
        load_spec(small_spec(**changes), manager.registry)
    return [(problem.where.split(" ")[0], problem.what) for problem in caught.value.problems]


def test_a_backend_that_does_not_build_the_network_cannot_train_it(manager):
    timm = {"kind": "timm", "name": "resnet10t", "in_channels": 1, "input_size": [8, 8]}
    changes = {"model": timm, "baseline": SHARED | {"train_on": "paddle"}}
    assert problems(changes, manager) == [
        ("baseline.train_on", "`paddle` does not build this network: it cannot train it for the others")
    ]


def test_a_function_of_ones_own_is_needed_for_the_backend_that_trains(manager):
    model = {"kind": "builder", "torch": "networks:small", "in_channels": 1, "input_size": [8, 8]}
    (found,) = problems({"model": model, "baseline": SHARED | {"train_on": "paddle"}}, manager)
    assert found[0] == "baseline.train_on"


def test_a_teacher_too_has_one_that_trains_it_and_it_is_checked(manager):
    teacher = {"kind": "zoo", "name": "vit_b_16", "train": {"epochs": 1, "train_on": "paddle"}}
    found = problems({"steps": [DISTILL | {"teacher": teacher}]}, manager)
    assert found == [
        ("steps[0].teacher.train.train_on", "`paddle` does not build this network: it cannot train it for the others")
    ]


def test_who_trains_is_known_before_a_run(manager):
    spec = load_spec(small_spec(baseline=SHARED, backends=["torch", "paddle"]), manager.registry)
    assert [trained_on(spec, backend) for backend in spec.backends] == ["torch", "torch"]
    assert (trainers(spec, ["torch"]), trainers(spec, ["paddle"])) == ((), ("torch",))
    alone = load_spec(small_spec(), manager.registry)
    assert (trained_on(alone, "paddle"), trainers(alone, ["paddle"])) == ("paddle", ())
    what = explain_spec(manager, spec, ["paddle"]).stages[0].what
    assert "train it for 2 epochs on torch, which does so for every backend" in what


def test_only_the_backend_that_trains_is_asked_for_training_and_the_loss_on_labels(manager):
    spec = load_spec(
        small_spec(baseline=SHARED, steps=[PRUNE, QUANTIZE], backends=["torch", "paddle"]), manager.registry
    )
    assert "distill" in preflight.hooks(spec, "torch")
    assert preflight.losses(manager, spec, "torch") == ("hard_label",)
    assert "distill" not in preflight.hooks(spec, "paddle")
    assert preflight.losses(manager, spec, "paddle") == ()


def test_the_trainer_of_a_teacher_must_build_the_specs_own_network_where_that_is_of_no_zoo(manager):
    timm = {"kind": "timm", "name": "resnet10t", "in_channels": 1, "input_size": [8, 8]}
    teacher = {"kind": "zoo", "name": "cnn", "train": {"epochs": 1, "train_on": "paddle"}}
    found = problems({"model": timm, "steps": [DISTILL | {"teacher": teacher}]}, manager)
    assert found == [("steps[0].teacher.train.train_on", "`paddle` does not build the network of `model`")]


def test_a_backend_that_trains_and_is_not_installed_is_named_before_a_run(manager, monkeypatch):
    spec = load_spec(small_spec(baseline=SHARED, backends=["paddle"]), manager.registry)
    monkeypatch.setattr("paredown.manager.missing_distributions", lambda info: ("torch",))
    monkeypatch.setattr(manager, "_installed", set())
    (found,) = preflight.problems(manager, spec, "paddle")
    assert found.startswith("`train_on: torch`: the backend `torch` is not installed")
