"""Networks of a user's own functions, and of timm, on torch: built, checked, and kept by their code."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from paredown.contracts import RunContext
from paredown.engine.baseline import prepare_baseline
from paredown.engine.sources import require_running
from paredown.engine.trust import trusting
from paredown.engine.workbench import Workbench
from paredown.errors import ModelError
from paredown.manager import Manager
from paredown.spec.loader import load_spec

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
