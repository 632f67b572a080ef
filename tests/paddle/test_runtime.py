"""Paddle Inference: our runtime for what the Paddle backend exports, and PaddleSlim's integer files in it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from paredown.contracts import ExportRequest, ModelSource, RunContext
from paredown.deploy.verify import run_file
from paredown.errors import DeployError
from paredown.manager import Manager
from paredown.testing import RuntimeConformance
from paredown.testing.runtimes import INPUT_SHAPE
from paredown_paddle_inference.config import PaddleInferenceConfig
from paredown_paddle_inference.runtime import PaddleInference

CHANNELS, *SIZE = INPUT_SHAPE


def network(manager):
    source = ModelSource("cnn", 10, CHANNELS, tuple(SIZE))
    return manager.load_model("paddle", source, RunContext(device="cpu"))


class TestPaddleInference(RuntimeConformance):
    name = "paddle_inference"
    options: ClassVar = {}

    @pytest.fixture(scope="class")
    @classmethod
    def deployed(cls, images, manager, tmp_path_factory):
        model = network(manager)
        path = tmp_path_factory.mktemp("runtime") / "network"
        manager.export("paddle", model, ExportRequest("paddle", path, INPUT_SHAPE))
        return path, manager.evaluate("paddle", model, images)


@pytest.fixture(scope="module")
def runtime():
    return PaddleInference(PaddleInferenceConfig(algorithm="abs_max"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network as `paddle_old_ir`, images, and its outputs."""
    manager = Manager.discover()
    model = network(manager)
    directory = tmp_path_factory.mktemp("old") / "network"
    manager.export("paddle", model, ExportRequest("paddle_old_ir", directory, INPUT_SHAPE))
    images = np.random.default_rng(0).standard_normal((64, *INPUT_SHAPE)).astype(np.float32)
    return directory, images, manager.evaluate("paddle", model, images)


@pytest.fixture(scope="module")
def integers(runtime, exported, tmp_path_factory):
    """The directory that the quantizer made, and what it says of it."""
    path = tmp_path_factory.mktemp("integers") / "int8"
    return path, runtime.quantize(exported[0], path, exported[1], batch_size=32)


def test_the_quantizer_writes_integers_that_compute_nearly_the_same(runtime, exported, integers):
    source, images, expected = exported
    path, settings = integers
    assert settings == {"algo": "abs_max", "batch_size": 32, "batches": 2}
    assert [one.name for one in path.parent.iterdir()] == ["int8"]
    program, weights = runtime.files(path)
    assert program.name == "model.pdmodel"
    assert weights.stat().st_size < 0.4 * (source / "model.pdiparams").stat().st_size
    found = run_file(runtime, path, images)
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected - expected.mean(axis=0))
    assert 0 < error < 0.2


def test_loading_an_integer_program_says_nothing(runtime, integers, capfd):
    capfd.readouterr()
    runtime.load(integers[0], threads=1)
    assert capfd.readouterr() == ("", "")


def test_calibrating_on_nothing_is_a_clear_error(runtime, exported, tmp_path):
    with pytest.raises(DeployError, match="no calibration images"):
        runtime.quantize(exported[0], tmp_path / "int8", exported[1][:0], batch_size=32)


def test_a_quantizer_that_fails_says_so_and_leaves_nothing(runtime, exported, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.pdmodel").write_bytes(b"this is no program")
    (broken / "model.pdiparams").write_bytes(b"")
    with pytest.raises(DeployError, match="quant_post_static") as raised:
        runtime.quantize(broken, tmp_path / "int8", exported[1], batch_size=32)
    assert raised.value.problems[0].remedy
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


def test_an_onnx_file_is_refused_with_the_backend_that_would_fit(runtime, tmp_path):
    path = tmp_path / "network.onnx"
    path.write_bytes(b"ONNX")
    with pytest.raises(DeployError) as raised:
        runtime.load(path, threads=1)
    assert "backend `paddle`" in raised.value.problems[0].remedy
