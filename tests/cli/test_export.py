"""`export`: every format loads in its own framework and answers as the run's network does, on either backend."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from helpers import paredown

TORCH = """
import sys, json
import numpy as np, torch
directory, images, outputs = sys.argv[1:]
state = torch.load(directory + "/state.pth", weights_only=True)
program = torch.export.load(directory + "/model.pt2")
found = program.module()(torch.from_numpy(np.load(images))).detach().numpy()
np.save(outputs, found)
print(json.dumps(sorted(state)))
"""
PADDLE = """
import sys, json
import numpy as np
from pathlib import Path
from paredown_paddle.framework import paddle
from paredown_paddle.unpickling import read_pdparams
directory, images, outputs = sys.argv[1:]
state = read_pdparams(Path(directory) / "state.pdparams")
np.save(outputs, paddle.jit.load(directory + "/model")(paddle.to_tensor(np.load(images))).numpy())
print(json.dumps(sorted(state)))
"""
LOADERS = {"torch": TORCH, "paddle": PADDLE}


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).random((5, 1, 8, 8), dtype=np.float32)


def outputs_of_onnx(path, images):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    return session.run(None, {session.get_inputs()[0].name: images})[0]


@pytest.mark.parametrize(("made_on", "format_name"), [("torch", "paddle"), ("paddle", "torch")])
def test_a_run_exports_to_either_framework(tiny_runs, images, tmp_path, made_on, format_name):
    run, target = tiny_runs.run(made_on), tmp_path / "exported"
    done = paredown("export", run, "--format", format_name, "--out", target, "--json")
    assert done.returncode == 0, done.stderr
    written = json.loads(done.stdout)["files"]
    assert written
    assert sorted(written) == sorted(str(path) for path in target.iterdir())
    assert list(tmp_path.iterdir()) == [target]
    np.save(tmp_path / "images.npy", images)
    loader = [sys.executable, "-c", LOADERS[format_name], str(target)]
    loaded = subprocess.run(
        [*loader, str(tmp_path / "images.npy"), str(tmp_path / "outputs.npy")], capture_output=True, text=True
    )
    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout)
    found = np.load(tmp_path / "outputs.npy")
    expected = outputs_of_onnx(run / "onnx" / "fp32.onnx", images)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_onnx_is_the_delivered_file(tiny_runs, images, tmp_path):
    run = tiny_runs.run("paddle")
    done = paredown("export", run, "--format", "onnx", "--out", tmp_path / "network.onnx")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'network.onnx'}\n"
    delivered = json.loads((run / "result.json").read_text())["delivered"]
    assert (tmp_path / "network.onnx").read_bytes() == (run / delivered).read_bytes()
    assert outputs_of_onnx(tmp_path / "network.onnx", images).shape == (5, 10)


def test_a_directory_of_several_runs_is_ambiguous(tiny_runs, refused):
    message = refused("export", tiny_runs.out, "--format", "onnx")
    assert "several runs" in message
    assert str(tiny_runs.run("paddle")) in message


def test_an_unknown_format_is_named_with_those_there_are(tiny_runs, refused):
    assert "did you mean `torch`?" in refused("export", tiny_runs.run("torch"), "--format", "torhc")
    message = refused("export", tiny_runs.run("torch"), "--format", "tflite")
    assert "`onnx`, `paddle`, `paddle_old_ir`, `torch`" in message


def test_a_target_that_holds_something_is_refused_and_kept(tiny_runs, tmp_path, refused):
    (tmp_path / "mine").write_text("mine")
    assert "not empty" in refused("export", tiny_runs.run("torch"), "--format", "torch", "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("made", [(), ("journal.json",)])
def test_an_unfinished_run_is_refused(tmp_path, made, refused):
    for name in made:
        (tmp_path / name).write_text("{}")
    assert "no result.json" in refused("export", tmp_path, "--format", "onnx")


def test_a_result_without_its_file_is_refused(tiny_runs, tmp_path, refused):
    (tmp_path / "result.json").write_text((tiny_runs.run("torch") / "result.json").read_text())
    assert "the delivered file is missing" in refused("export", tmp_path, "--format", "onnx")
    assert "spec.json" in refused("export", tmp_path, "--format", "torch")


def test_a_damaged_result_is_refused(tmp_path, refused):
    (tmp_path / "result.json").write_text('{"version": 1}')
    assert "result.json" in refused("export", tmp_path, "--format", "onnx")
    (tmp_path / "result.json").write_text("{")
    assert "cannot be read as JSON" in refused("export", tmp_path, "--format", "onnx")
