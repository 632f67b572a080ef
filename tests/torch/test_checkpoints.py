"""Weights from `.pth` and `.pdparams`: read, told, fitted to a network, and never run."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from paredown import files
from paredown.contracts import ModelSource, RunContext
from paredown.engine import given_weights
from paredown.engine.networks import Recipe, initialised
from paredown.engine.preflight import problems
from paredown.engine.workbench import Workbench
from paredown.errors import WeightsError
from paredown.manager import Manager
from paredown.spec.loader import load_spec

SPEC = {
    "version": 1,
    "name": "weights",
    "task": {"kind": "classification"},
    "data": {"kind": "digits", "limit": 64},
    "model": {"kind": "zoo", "name": "cnn", "num_classes": 10, "in_channels": 1, "input_size": [8, 8]},
    "baseline": {"epochs": 1},
    "deploy": {"runtime": {"kind": "onnxruntime"}},
}


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.fixture(scope="module")
def manager():
    return Manager.discover()


@pytest.fixture
def bench(manager, tmp_path):
    spec = load_spec(SPEC, manager.registry)
    return Workbench(manager, "torch", spec, RunContext(seed=3, device="cpu", base_dir=tmp_path))


@pytest.fixture
def here(monkeypatch):
    """Files are read in this process: a run starts another for each, which is what takes longest."""
    monkeypatch.setattr(
        given_weights,
        "read_elsewhere",
        lambda bench, owner, source, path: bench.manager.read_weights(owner, path, lambda: bench.build(source=source)),
    )


@pytest.fixture
def state(bench):
    """The arrays of another seed: those of a checkpoint."""
    generator = np.random.default_rng(5)
    own = bench.state(bench.build())
    return {name: generator.uniform(0.5, 1, values.shape).astype(np.float32) for name, values in own.items()}


def tensors(state):
    return {name: torch.from_numpy(values) for name, values in state.items()}


def given(bench, name, **more):
    beginning = initialised(bench, Recipe(bench.source, name, **more))
    return bench.state(beginning.model), beginning.notes


def wrapped(state):
    counters = {"module.bn.num_batches_tracked": torch.tensor(7)}
    inner = {f"module.{name}": values.double() for name, values in tensors(state).items()} | counters
    return {"state_dict": inner, "epoch": 90, "optimizer": {"state": {0: torch.zeros(3)}}}


@pytest.mark.usefixtures("here")
def test_a_state_dict_is_read_and_the_match_is_told(bench, state, tmp_path):
    torch.save(tensors(state), tmp_path / "plain.pt")
    found, notes = given(bench, "plain.pt")
    assert all(np.array_equal(found[name], state[name]) for name in state)
    assert notes == (f"weights plain.pt: {len(state)} of the network's {len(state)} arrays matched",)


@pytest.mark.usefixtures("here")
def test_wrappers_and_prefixes_are_handled_and_said(bench, state, tmp_path):
    torch.save(wrapped(state), tmp_path / "checkpoint.pth")
    found, notes = given(bench, "checkpoint.pth")
    assert all(np.array_equal(found[name], state[name]) for name in state)
    assert "took `state_dict`, left `epoch`, `optimizer`" in notes[1]
    assert "removed the prefix `module.`" in notes[2]


@pytest.mark.usefixtures("here")
def test_names_that_do_not_fit_are_refused_with_the_nearest_unless_the_spec_is_lenient(bench, state, tmp_path):
    first = next(iter(state))
    renamed = {("x" + name if name == first else name): values for name, values in tensors(state).items()}
    torch.save(renamed, tmp_path / "renamed.pth")
    with pytest.raises(WeightsError, match="do not fit") as caught:
        given(bench, "renamed.pth")
    assert f"1 missing in the file: {first} (nearest: x{first})" in str(caught.value)
    assert "`strict: false`" in str(caught.value)
    found, notes = given(bench, "renamed.pth", strict=False)
    assert not np.array_equal(found[first], state[first])
    assert all(np.array_equal(found[name], state[name]) for name in state if name != first)
    assert f"1 missing in the file: {first}" in notes[0]


@pytest.mark.usefixtures("here")
def test_another_number_of_classes_leaves_the_head_alone(bench, state, tmp_path):
    wider = {
        name: np.concatenate([values, values]) if name.startswith("fc.") else values for name, values in state.items()
    }
    torch.save(tensors(wider), tmp_path / "wider.pth")
    found, notes = given(bench, "wider.pth")
    assert "the head (fc.weight, fc.bias) has another number of classes" in notes[0]
    assert not np.array_equal(found["fc.weight"], state["fc.weight"])
    assert initialised(bench, Recipe(bench.source, "wider.pth")).drawn == ("fc.weight", "fc.bias")


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("fcos_mobilenet_v2_small", ["class_logits"]),
        ("lraspp_mobilenet_v3_small", ["classifier.low_classifier", "classifier.high_classifier"]),
    ],
)
def test_the_head_is_every_layer_whose_outputs_are_the_classes(bench, tmp_path, name, layers):
    source = ModelSource(name, 20, 1, (32, 32))
    files.write_state(tmp_path / "other.safetensors", bench.state(bench.build(source=source)))
    beginning = initialised(bench, Recipe(replace(source, num_classes=11), "other.safetensors"))
    assert set(beginning.drawn) == {f"{layer}.{array}" for layer in layers for array in ("weight", "bias")}


@pytest.mark.parametrize("name", ["bad.pth", "bad.pdparams"])
def test_a_file_that_would_run_something_is_refused_and_nothing_runs(bench, tmp_path, name):
    path, proof = tmp_path / name, tmp_path / "proof"
    if name.endswith(".pth"):
        torch.save({"w": Malicious(proof)}, path)
    else:
        path.write_bytes(pickle.dumps({"w": Malicious(proof)}))
    with pytest.raises(WeightsError, match="hold more than"):
        given(bench, name)
    assert not proof.exists()


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps({"w": 1})])
@pytest.mark.usefixtures("here")
def test_a_damaged_file_is_an_error_of_ours(bench, tmp_path, content):
    (tmp_path / "cut.pth").write_bytes(content)
    with pytest.raises(WeightsError):
        given(bench, "cut.pth")


def test_a_missing_file_is_an_error_of_ours(bench):
    with pytest.raises(WeightsError, match="missing"):
        given(bench, "nowhere.pth")


def test_a_file_that_crashes_its_reader_ends_that_process_alone(bench, tmp_path, monkeypatch):
    # Python runs this module at its start: the reader dies as by a file.
    dying = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"
    (tmp_path / "sitecustomize.py").write_text(dying)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    (tmp_path / "crash.pth").write_bytes(b"any")
    with pytest.raises(WeightsError, match=r"crash\.pth"):
        given(bench, "crash.pth")


def test_paddles_file_is_read_in_a_process_of_paddles_own(bench, state, tmp_path):
    own = {"running_mean": "_mean", "running_var": "_variance"}
    layers = {name.rpartition(".")[0] for name in state if name.endswith("running_mean")}
    saved = {}
    for name, values in state.items():
        layer, _, last = name.rpartition(".")
        saved[f"{layer}.{own.get(last, last) if layer in layers else last}"] = values.T if values.ndim == 2 else values
    (tmp_path / "mine.pdparams").write_bytes(pickle.dumps({"model": saved, "epoch": 4}))
    found, notes = given(bench, "mine.pdparams")
    assert all(np.array_equal(found[name], state[name]) for name in state)
    assert "took `model`, left `epoch`" in notes[1]


def test_a_network_that_paddle_does_not_hold_cannot_take_paddles_names(bench, tmp_path):
    (tmp_path / "mine.pdparams").write_bytes(pickle.dumps({"w": np.zeros(3, np.float32)}))
    source = ModelSource("squeezenet1_1", 10, 3, (32, 32))
    with pytest.raises(Exception, match="no network of that name"):
        initialised(bench, Recipe(source, "mine.pdparams"))


def test_a_file_that_nobody_here_reads_is_told_before_work_starts(manager):
    from paredown_torch import plugin

    alone = Manager()
    for name in ("vision", "onnxruntime"):
        alone.register(manager.plugins[name], name)
    alone.register(plugin, "torch")
    spec = load_spec(SPEC | {"model": SPEC["model"] | {"weights": "a.pdparams"}}, alone.registry)
    assert any("no backend reads weights from `.pdparams`" in one for one in problems(alone, spec, "torch"))
