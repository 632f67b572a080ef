"""`explain`: a reader learns what would happen, where, with which settings, and what will be written."""

from __future__ import annotations

import json
import re

import pytest
from helpers import QUICKSTART, ROOT, paredown, paredown_json, small_spec, write_spec

from paredown.explain import _weight_bits
from paredown.spec.models import QuantizeStep


@pytest.fixture(scope="module")
def text(command) -> str:
    done = command("explain", QUICKSTART)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def facts(command):
    return json.loads(command("explain", QUICKSTART, "--json").stdout)


def test_the_stages_stand_in_their_order(text, facts):
    assert text.startswith("quickstart: baseline > prune > distill > quantize > deploy\n")
    assert [stage["name"] for stage in facts["stages"]] == ["baseline", "prune", "distill", "quantize", "deploy"]


def test_every_backend_says_who_acts_and_that_it_is_ready(text, facts):
    assert "on torch (PyTorch): ready; torch " in text
    assert "on paddle (PaddlePaddle): ready; paddlepaddle " in text
    assert [backend["name"] for backend in facts["backends"]] == ["torch", "paddle"]
    assert facts["backends"][1]["acts"]["prune"] == "paddle"


def test_settings_that_the_spec_leaves_out_are_filled_in_and_marked(text, facts):
    distill = {one["name"]: one for one in facts["stages"][2]["settings"]}
    assert distill["train.optimizer.momentum"] == {
        "name": "train.optimizer.momentum",
        "value": 0.9,
        "is_default": True,
    }
    assert not distill["train.optimizer.lr"]["is_default"]
    assert "calibration.batch_size  64  (default)" in text
    assert re.search(r"\n +ratio +0\.5\n", text)


def test_the_files_that_it_names_are_those_that_a_run_writes(text, tiny_runs, ghost):
    steps = paredown_json("explain", tiny_runs.spec, env=ghost)
    named = {file for stage in steps["stages"] for file in stage["files"]} | set(steps["run_files"])
    directory = tiny_runs.run("torch")
    written = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    assert named == written
    assert "each run lies in DIR/torch/seed-0, DIR/paddle/seed-0" in text


def test_one_backend_may_be_asked_for(command):
    facts = json.loads(command("explain", QUICKSTART, "--backend", "paddle", "--json").stdout)
    assert [one["name"] for one in facts["backends"]] == ["paddle"]


def test_a_backend_that_is_missing_is_said_with_the_command_that_installs_it(ghost, tmp_path):
    spec = write_spec(tmp_path / "spec.yaml", small_spec(backends=["torch", "ghost"]))
    done = paredown("explain", spec, env=ghost)
    assert done.returncode == 0, done.stderr
    assert (
        "on ghost (Ghost): not ready, without no-such-framework; install with: pip install ghost-framework"
        in done.stdout
    )
    assert "refused: nothing implements the hook `prune`" in done.stdout
    assert "refused: the loss `kl` has no implementation" in done.stdout


def test_an_unknown_backend_is_named_with_the_nearest(command):
    done = command("explain", QUICKSTART, "--backend", "torhc")
    assert done.returncode == 2
    assert "did you mean `torch`?" in done.stderr


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ("channel-macs", "until 50% of the multiply-accumulates are left"),
        ("iterative", "Measure gradients on training images."),
        ("iterative", "in 3 rounds, a part in each, with 1 epoch of training on the labels after each"),
        ("gradual", "masks grow from epoch 0.5 to epoch 4, until 80% of the weights"),
        ("two-four", "of every 4 consecutive input channels 2 stay"),
        ("slimming", "An L1 penalty draws the scales of BatchNorm to zero."),
        ("sensitivity", "Prune each group alone by 25%, 50%, 75% and measure on validation"),
    ],
)
def test_every_way_to_prune_is_told_in_words(command, example, words):
    done = command("explain", ROOT / "examples" / "pruning" / f"{example}.yaml", "--backend", "torch", "--json")
    assert any(words in stage["what"] for stage in json.loads(done.stdout)["stages"])


def test_a_pruning_step_asks_for_what_its_rounds_and_its_criterion_need(command):
    done = command("explain", ROOT / "examples" / "pruning" / "iterative.yaml", "--backend", "torch", "--json")
    stage = json.loads(done.stdout)["stages"][1]
    assert stage["hooks"] == ["measure", "fold", "export", "prune", "distill"]
    assert stage["losses"] == ["hard_label"]


@pytest.mark.parametrize(
    ("mode", "target", "told"),
    [("static", "portable", "7 bits, safe on every CPU (portable)"), ("weight_only", "portable", "8 bits, for every")],
)
def test_the_width_of_weights_is_told_by_mode_and_target(mode, target, told):
    step = {"mode": mode} | ({"activations": {"observer": {"kind": "minmax"}}} if mode == "static" else {})
    assert told in _weight_bits(QuantizeStep.model_validate({"kind": "quantize", **step}), target)
