"""Equal weights give equal files: byte for byte, and so the same answers bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from agreement.networks import DEPLOYED

from paredown_onnxruntime.config import OnnxRuntimeConfig
from paredown_onnxruntime.runtime import OnnxRuntime

PAIR = ("torch", "paddle")


DIRECTORIES = ("run/seed-0/onnx", *DEPLOYED)
"""A whole run of resnet20, and the networks that the producer deployed."""


@pytest.mark.parametrize("directory", DIRECTORIES)
@pytest.mark.parametrize("file", ["fp32.onnx", "int8.onnx"])
def test_deployed_files_are_equal_and_answer_bit_for_bit(produced, directory, file):
    require_equal_files([produced[backend] / directory / file for backend in PAIR])


def require_equal_files(paths):
    """Two ONNX files: the same bytes, hence the same answers, which are compared first: they tell more."""
    images = _images(paths[0])
    torch, paddle = (OnnxRuntime(OnnxRuntimeConfig()).load(path, threads=1).run(images) for path in paths)
    assert torch.tobytes() == paddle.tobytes()
    assert np.abs(torch).max() > 0
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("network", DEPLOYED)
def test_the_simulations_predict_the_same(produced, network):
    torch, paddle = (np.load(produced[backend] / network / "outputs-simulated.npy") for backend in PAIR)
    # Frameworks sum in other orders, so a value on a rounding edge may fall either way: one step of a scale, not more.
    assert np.abs(torch - paddle).max() <= 0.05 * np.abs(torch).max()
    assert (torch.argmax(axis=1) == paddle.argmax(axis=1)).mean() >= 0.9


@pytest.mark.parametrize(
    "name",
    [
        *("plan-0.json", "plan-1.json", "spec.json"),
        *("weights-baseline.safetensors", "weights.safetensors", "onnx/baseline-fp32.onnx"),
    ],
)
def test_whole_runs_from_given_weights_write_equal_files(produced, name):
    torch, paddle = (produced[backend] / "run" / "seed-0" / name for backend in PAIR)
    assert torch.read_bytes() == paddle.read_bytes()


def _images(path):
    import onnx

    _, channels, height, width = (d.dim_value for d in onnx.load(path).graph.input[0].type.tensor_type.shape.dim)
    return np.random.default_rng(9).standard_normal((16, channels, height, width)).astype(np.float32)
