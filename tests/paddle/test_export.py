"""Exports: the ONNX file is the network, weight by weight, and files appear whole or not at all."""

from __future__ import annotations

import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest

from paredown.algorithms.fold import find_folds
from paredown.contracts import ExportRequest, MeasureRequest
from paredown.errors import ArtifactError, DeployError, UnsupportedError

SHAPE = (1, 8, 8)


def test_the_file_of_a_pruned_and_folded_network_is_the_network(hooks, build, plan_half, tmp_path):
    model = build("resnet20")
    model = hooks.prune(backend="paddle", model=model, plan=plan_half(model, SHAPE)).model
    layers = hooks.measure(backend="paddle", model=model, request=MeasureRequest("layers", SHAPE)).layers
    folded = hooks.fold(backend="paddle", model=model, folds=find_folds(layers))
    result = hooks.export(backend="paddle", model=folded, request=ExportRequest("onnx", tmp_path / "net.onnx", SHAPE))
    assert result.files == (tmp_path / "net.onnx",)
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
    images = np.random.default_rng(1).normal(size=(5, *SHAPE)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(result.files[0]), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: images})
    wanted = hooks.evaluate(backend="paddle", model=model, images=images)
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()
    graph = onnx.load(str(result.files[0])).graph
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for name, values in hooks.save(backend="paddle", model=folded).items():
        own = stored[name].T if name == "fc.weight" else stored[name]
        assert own.tobytes() == values.tobytes(), name


def test_paddles_own_format_is_a_directory_with_program_and_state(hooks, build, tmp_path):
    from paredown_paddle.unpickling import read_pdparams

    model = build("cnn")
    target = tmp_path / "paddle"
    result = hooks.export(backend="paddle", model=model, request=ExportRequest("paddle", target, SHAPE))
    assert [path.name for path in tmp_path.iterdir()] == ["paddle"]
    assert {path.name for path in result.files} == {"model.json", "model.pdiparams", "state.pdparams"}
    state = read_pdparams(target / "state.pdparams")
    assert np.array_equal(state["conv1.weight"], model.conv1.weight.numpy())
    with pytest.raises(ArtifactError, match="not empty"):
        hooks.export(backend="paddle", model=model, request=ExportRequest("paddle", target, SHAPE))


def test_a_format_of_another_framework_is_refused(hooks, build, tmp_path):
    with pytest.raises(UnsupportedError, match="does not write"):
        hooks.export(backend="paddle", model=build("cnn"), request=ExportRequest("torch", tmp_path / "x", SHAPE))


def test_the_death_of_paddle2onnx_is_told_with_its_signal_and_leaves_nothing(hooks, build, tmp_path, monkeypatch):
    def dies(command, **options):
        return subprocess.CompletedProcess(command, -8, stdout="", stderr="boom")

    model = build("cnn")
    monkeypatch.setattr(subprocess, "run", dies)
    with pytest.raises(DeployError, match="SIGFPE"):
        hooks.export(backend="paddle", model=model, request=ExportRequest("onnx", tmp_path / "net.onnx", SHAPE))
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_cannot_be_traced_is_a_clear_error(hooks, tmp_path):
    import paddle

    class Odd(paddle.nn.Layer):
        def forward(self, x):
            raise ValueError("no graph here")

    with pytest.raises(DeployError, match="cannot trace"):
        hooks.export(backend="paddle", model=Odd(), request=ExportRequest("onnx", tmp_path / "net.onnx", SHAPE))
