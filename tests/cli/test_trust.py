"""A spec that names code: refused in every verb unless its module is trusted; trusted, it runs on a worker."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from helpers import PRUNE, paredown, small_spec, write_spec

NETWORKS = """
import pathlib
from torch import nn

pathlib.Path(__file__).with_name("imported").touch()

def build(classes):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, classes)
    )
"""
LOAD = "import sys, paredown; print(paredown.load(sys.argv[1], trust=['mynets'])[0].out_channels)"


def spec_in(directory, **changes):
    (directory / "mynets.py").write_text(NETWORKS)
    model = {"kind": "builder", "torch": "mynets:build", "options": {"classes": 10}, "in_channels": 1}
    spec = small_spec(model=model | {"input_size": [8, 8]} | changes, steps=[PRUNE | {"scope": "local"}])
    spec["data"]["limit"] = 96
    return write_spec(directory / "spec.yaml", spec)


@pytest.mark.parametrize("verb", ["run", "compare", "validate", "explain", "sensitivity"])
def test_every_verb_refuses_code_that_is_not_trusted_and_imports_none_of_it(verb, refused, tmp_path):
    message = refused(verb, spec_in(tmp_path), "--trust", "mynet", "--trust", "nets")
    assert "not trusted: `mynets:build`" in message
    assert "--trust mynets" in message
    assert not (tmp_path / "imported").exists()


def test_a_spec_cannot_trust_by_itself(refused, tmp_path):
    spec = small_spec(trust=["mynets"])
    assert "unknown field `trust`" in refused("validate", write_spec(tmp_path / "spec.yaml", spec))


@pytest.mark.parametrize("verb", ["validate", "explain"])
def test_what_only_looks_accepts_trusted_code_without_importing_it(verb, command, tmp_path):
    done = command(verb, spec_in(tmp_path), "--trust", "mynets")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "imported").exists()


def test_a_function_that_is_nowhere_is_told_before_work_starts(refused, tmp_path):
    message = refused("run", spec_in(tmp_path, torch="mynets:bild"), "--trust", "mynets", "--out", tmp_path / "out")
    assert "did you mean `mynets:build`?" in message
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run of trusted code, after which the code changed in what no array tells."""
    place = tmp_path_factory.mktemp("trusted")
    spec = spec_in(place)
    done = paredown("run", spec, "--trust", "mynets", "--out", place / "out", "--json")
    (place / "mynets.py").write_text(NETWORKS.replace("nn.ReLU()", "nn.LeakyReLU(0.3)"))
    return SimpleNamespace(place=place, spec=spec, done=done)


def test_trusted_code_runs_in_the_worker_and_the_result_names_it(ran):
    assert ran.done.returncode in (0, 1), ran.done.stderr
    notes = json.loads(ran.done.stdout)["runs"][0]["notes"]
    assert notes[0] == "built by `mynets:build`, which the user trusts"
    assert not (ran.place / "__pycache__").exists()


def test_a_run_of_other_code_is_not_gone_on_with(ran):
    done = paredown("run", ran.spec, "--trust", "mynets", "--out", ran.place / "out")
    assert done.returncode == 2
    assert "another code" in done.stderr


def test_a_finished_run_loads_only_with_trust_and_with_the_code_that_it_was_made_with(ran, refused):
    run = ran.place / "out" / "torch" / "seed-0"
    assert "not trusted" in refused("export", run, "--format", "torch", "--out", ran.place / "exported")
    done = subprocess.run([sys.executable, "-c", LOAD, str(run)], cwd=ran.place, capture_output=True, text=True)
    assert "built by another code" in done.stderr
    (ran.place / "mynets.py").write_text(NETWORKS)
    done = subprocess.run([sys.executable, "-c", LOAD, str(run)], cwd=ran.place, capture_output=True, text=True)
    assert done.stdout == "4\n", done.stderr
