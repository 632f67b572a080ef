"""A deployed file is checked against the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paredown.deploy.files import to_bytes
from paredown.deploy.verify import require_equal_outputs, run_file
from paredown.errors import DeployError

PATH = Path("fp32.onnx")


def test_outputs_come_in_the_order_of_the_images(canonical, images, runtime, tmp_path, evaluate):
    path = tmp_path / "fp32.onnx"
    path.write_bytes(to_bytes(canonical))
    found = run_file(runtime, path, images, batch_size=5)
    np.testing.assert_allclose(found, evaluate(canonical, images), atol=1e-6)


def test_equal_outputs_pass_and_the_difference_is_told():
    outputs = np.array([[1.0, -2.0]], np.float32)
    assert require_equal_outputs(outputs + np.float32(1e-5), outputs, PATH) == pytest.approx(5e-6, rel=0.1)


def test_other_outputs_are_an_error_that_names_the_figures():
    outputs = np.array([[1.0, -2.0]], np.float32)
    with pytest.raises(DeployError) as caught:
        require_equal_outputs(outputs + np.float32(0.01), outputs, PATH)
    problem = caught.value.problems[0]
    assert problem.where == "fp32.onnx"
    assert "0.01" in problem.value
    assert "0.005" in problem.value


def test_nan_never_passes():
    outputs = np.array([[1.0, -2.0]], np.float32)
    with pytest.raises(DeployError):
        require_equal_outputs(outputs * np.float32(np.nan), outputs, PATH)


def test_a_file_that_answers_with_nan_is_no_candidate(images):
    class Broken:
        def load(self, path, threads):
            return self

        def run(self, images):
            return np.zeros((len(images), 2), np.float32), np.full((len(images), 3), np.nan, np.float32)

    with pytest.raises(DeployError, match="numbers that are none") as caught:
        run_file(Broken(), PATH, images)
    assert caught.value.problems[0].value == f"output 1: {3 * len(images)} values are NaN or infinite"


def test_another_shape_never_passes():
    outputs = np.zeros((2, 3), np.float32)
    with pytest.raises(DeployError, match="another shape"):
        require_equal_outputs(outputs[:1], outputs, PATH)


def test_a_file_that_is_no_network_is_refused(runtime, tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(DeployError, match="refuses the file"):
        runtime.load(path, threads=1)


def test_images_of_another_shape_are_refused(canonical, runtime, tmp_path):
    path = tmp_path / "fp32.onnx"
    path.write_bytes(to_bytes(canonical))
    with pytest.raises(DeployError, match="fails on a batch"):
        runtime.load(path, threads=1).run(np.zeros((1, 5, 6, 6), np.float32))


def test_the_runtime_tells_its_version(runtime):
    import onnxruntime

    assert runtime.versions() == {"onnxruntime": onnxruntime.__version__}


def test_of_several_outputs_each_is_held_against_its_own():
    small, large = np.full((2, 3), 0.01, np.float32), np.full((2, 4), 100, np.float32)
    assert require_equal_outputs((small, large), (small, large), PATH) == 0
    with pytest.raises(DeployError, match="not the network") as caught:
        require_equal_outputs((small * np.float32(1.1), large), (small, large), PATH)
    assert "output 0 differs" in caught.value.problems[0].value
    with pytest.raises(DeployError, match="another shape"):
        require_equal_outputs((small,), (small, large), PATH)
    with pytest.raises(DeployError, match="not the network"):
        require_equal_outputs((small, large * np.float32(np.nan)), (small, large), PATH)
