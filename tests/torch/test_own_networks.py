"""Networks of a user's own functions, and of timm, on torch: built, checked, and kept by their code."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from paredown.contracts import ModelSource, RunContext
from paredown.engine import provenance
from paredown.engine.baseline import prepare_baseline
from paredown.engine.preflight import problems
from paredown.engine.sources import require_running
from paredown.engine.trust import trusting
from paredown.engine.workbench import Workbench
from paredown.errors import ModelError
from paredown.manager import Manager
from paredown.spec.loader import load_spec
from paredown_torch import plugin

NETWORKS = """
from torch import nn

def build(classes=10, channels=1):
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, classes))
"""
NAME = "networks_of_this_test"


@pytest.fixture(scope="module")
def manager():
    return Manager.discover()


@pytest.fixture
def bench(manager, tmp_path, monkeypatch):
    """Makes a workbench around the module as it stands in the file at that moment."""
    monkeypatch.setenv("PAREDOWN_CACHE", str(tmp_path / "cache"))

    def bench(text=NETWORKS, **model):
        (tmp_path / f"{NAME}.py").write_text(text)
        sys.modules.pop(NAME, None)
        spec = {
            "version": 1,
            "name": "own",
            "task": {"kind": "classification"},
            "data": {"kind": "digits", "limit": 64},
            "model": {"kind": "builder", "torch": f"{NAME}:build", "in_channels": 1, "input_size": [8, 8]} | model,
            "baseline": {"epochs": 1, "batch_size": 32},
            "deploy": {"runtime": {"kind": "onnxruntime"}},
        }
        context = RunContext(seed=0, device="cpu", base_dir=tmp_path)
        checked = load_spec(spec, manager.registry)
        return Workbench(manager, "torch", checked, context, trust=trusting([NAME], tmp_path))

    yield bench
    sys.modules.pop(NAME, None)


def test_weights_are_drawn_from_the_seed_or_stay_as_they_were_built(bench):
    drawn, built = bench(), bench(weights="built")
    first = drawn.state(drawn.build())
    assert prepare_baseline(built)[1][1] == "the network keeps the weights that it was built with"
    again = built.state(built.build())
    assert all(np.array_equal(first[name], again[name]) for name in first)  # torch is seeded by the run


def test_changed_code_trains_a_baseline_of_its_own(bench, tmp_path):
    kept = []
    for text in (NETWORKS, NETWORKS, NETWORKS.replace("nn.ReLU()", "nn.LeakyReLU(0.3)")):
        prepare_baseline(bench(text))
        kept.append(len(list((tmp_path / "cache" / "baselines").iterdir())))
    assert kept == [1, 1, 2]


@pytest.mark.parametrize(
    ("options", "what"), [({"classes": 12}, "num_classes: 12"), ({"channels": 3}, "does not take images of this size")]
)
def test_what_the_spec_says_of_the_network_is_checked_before_any_training(bench, options, what):
    with pytest.raises(ModelError) as caught:
        require_running(bench(options=options))
    assert what in str(caught.value)


def timm_spec(**model):
    return {
        "version": 1,
        "name": "timm",
        "task": {"kind": "classification"},
        "data": {"kind": "digits", "limit": 64},
        "model": {"kind": "timm", "name": "resnet10t", "in_channels": 1, "input_size": [8, 8]} | model,
        "baseline": {"epochs": 1},
        "deploy": {"runtime": {"kind": "onnxruntime"}},
    }


def test_a_network_of_timm_is_built_and_its_coupled_channels_are_found(core_groups, random_plan):
    pytest.importorskip("timm", reason="the extra `timm` is not installed")
    run = RunContext(device="cpu")
    model = plugin.load_model("torch", ModelSource("resnet10t", 10, 3, (32, 32), kind="timm"), run)
    groups = core_groups(model)
    assert groups.groups
    before = sum(values.size for values in plugin.save("torch", model).values())
    plugin.prune("torch", model, random_plan(groups.groups))
    assert sum(values.size for values in plugin.save("torch", model).values()) < 0.7 * before
    assert plugin.evaluate("torch", model, np.zeros((2, 3, 32, 32), np.float32)).shape == (2, 10)


def test_a_transformer_of_timm_is_built_for_the_specs_images():
    pytest.importorskip("timm", reason="the extra `timm` is not installed")
    run = RunContext(device="cpu")
    model = plugin.load_model("torch", ModelSource("vit_tiny_patch16_224", 10, 1, (32, 48), kind="timm"), run)
    assert plugin.evaluate("torch", model, np.zeros((2, 1, 32, 48), np.float32)).shape == (2, 10)


def test_a_name_that_timm_does_not_know_is_told_with_the_nearest():
    pytest.importorskip("timm", reason="the extra `timm` is not installed")
    with pytest.raises(ModelError, match="no network of this name") as caught:
        plugin.load_model("torch", ModelSource("resnet19", 10, 3, (32, 32), kind="timm"), RunContext(device="cpu"))
    assert caught.value.problems[0].remedy == "did you mean resnet18?"


def test_the_version_of_timm_stands_in_the_provenance_of_its_networks(manager):
    timm = pytest.importorskip("timm", reason="the extra `timm` is not installed")
    info = manager.backend("torch")
    assert provenance.versions(provenance.distributions(info, "timm"))["timm"] == timm.__version__
    assert "timm" not in provenance.distributions(info, "zoo")


def test_without_timm_the_spec_is_refused_before_work_starts_with_the_command(manager, monkeypatch):
    monkeypatch.setattr("paredown.engine.preflight.not_installed", lambda distributions: tuple(distributions))
    (problem,) = problems(manager, load_spec(timm_spec(), manager.registry), "torch")
    assert problem == '`timm` needs `timm`: pip install "paredown[timm]"'
