"""Weights from Paddle's own files, and from torch's on a run of Paddle."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from paredown.contracts import RunContext
from paredown.engine.networks import Recipe, initialised
from paredown.engine.workbench import Workbench
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
    "backends": ["paddle"],
}
SAVE = """
import sys, torch
from safetensors.torch import load_file
torch.save({"model": {"module." + name: values for name, values in load_file(sys.argv[1]).items()}}, sys.argv[2])
"""


@pytest.mark.parametrize("name", ["cnn", "mobilenet_v3_small"])
def test_what_paddle_saves_comes_back_under_neutral_names(name, build, hooks, tmp_path):
    from paredown_paddle.framework import paddle

    model = build(name)
    path = tmp_path / "a.pdparams"
    paddle.save({f"_layers.{key}": values for key, values in model.state_dict().items()}, str(path))
    found = hooks.read_weights(backend="paddle", path=path, build=lambda: build(name))
    own = hooks.save(backend="paddle", model=model)
    assert set(found.arrays) == set(own)
    assert all(np.array_equal(found.arrays[key], own[key]) for key in own)
    assert found.notes == ("removed the prefix `_layers.` from every name",)


def test_a_name_that_the_network_lacks_stays_as_it_is(build, hooks, tmp_path):
    path = tmp_path / "a.pdparams"
    path.write_bytes(pickle.dumps({"nobody.weight": np.zeros((2, 3), np.float32), "conv.weight": np.zeros(2)}))
    found = hooks.read_weights(backend="paddle", path=path, build=lambda: build("cnn"))
    assert found.arrays["nobody.weight"].shape == (2, 3)


def test_torchs_file_is_read_in_a_process_of_torchs_own(tmp_path):
    from paredown import files

    manager = Manager.discover()
    spec = load_spec(SPEC, manager.registry)
    bench = Workbench(manager, "paddle", spec, RunContext(seed=3, device="cpu", base_dir=tmp_path))
    generator = np.random.default_rng(5)
    own = bench.state(bench.build())
    state = {name: generator.uniform(0.5, 1, values.shape).astype(np.float32) for name, values in own.items()}
    files.write_state(tmp_path / "a.safetensors", state)
    subprocess.run(
        [sys.executable, "-c", SAVE, str(tmp_path / "a.safetensors"), str(tmp_path / "a.pth")], check=True, timeout=120
    )
    beginning = initialised(bench, Recipe(bench.source, "a.pth"))
    found = bench.state(beginning.model)
    assert all(np.array_equal(found[name], state[name]) for name in state)
    assert "took `model`" in beginning.notes[1]
