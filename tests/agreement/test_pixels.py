"""Networks that return a class for each pixel: equal decisions, equal files, and files that answer as the framework."""

from __future__ import annotations

import numpy as np
import pytest
from agreement.networks import FRAMEWORKS
from backend_processes import ask_all

from paredown.comparison import same_decisions
from paredown.engine.journal import read_plan
from paredown.files import read_json
from paredown.manager import Manager
from paredown.twins import PIXELS
from paredown_onnxruntime.config import OnnxRuntimeConfig
from paredown_onnxruntime.runtime import OnnxRuntime
from paredown_vision.config import SemanticSegmentationConfig
from paredown_vision.semantic_segmentation import SemanticSegmentation

TASK = SemanticSegmentation(SemanticSegmentationConfig())
TOLERANCE = 1e-4
"""Of the greatest output."""


@pytest.fixture(scope="module")
def made(tmp_path_factory, processes):
    """By backend, the directory that `pixels.py` filled."""
    directories = {name: tmp_path_factory.mktemp(name) for name in FRAMEWORKS}
    ask_all(processes, "agreement.pixels", directories)
    return directories


@pytest.fixture(scope="module", params=PIXELS)
def both(made, request):
    """The directories of one network."""
    return [made[backend] / request.param for backend in FRAMEWORKS]


def test_equal_weights_give_equal_answers_before_and_after_the_cut(both):
    for file in ("outputs.npy", "outputs-pruned.npy"):
        torch, paddle = (np.load(directory / file) for directory in both)
        assert torch.ndim == 4
        assert np.abs(torch - paddle).max() <= TOLERANCE * np.abs(torch).max()


def test_groups_and_plans_are_equal(both):
    torch, paddle = (read_json(directory / "groups.json") for directory in both)
    assert torch == paddle
    torch, paddle = (read_plan(directory / "plan-global-l2.json") for directory in both)
    assert torch.cuts
    assert torch == paddle
    if both[0].name == "unet":  # the loss of the task decides
        assert same_decisions(*(read_plan(directory / "plan-taylor.json") for directory in both)) >= 0.99
    assert len({(directory / "pruned.safetensors").read_bytes() for directory in both}) == 1


def test_only_what_gives_classes_is_left_whole(both):
    left = read_json(both[0] / "groups.json")["left_whole"]
    assert left
    assert set(left.values()) == {"its outputs are the network's"}


@pytest.mark.parametrize("file", ["onnx/baseline-fp32.onnx", "int8.onnx"])
def test_files_are_equal_byte_for_byte(both, file):
    torch, paddle = ((directory / file).read_bytes() for directory in both)
    assert torch == paddle


def test_every_scale_is_equal(both):
    torch, paddle = (read_plan(directory / "plan-quantize.json") for directory in both)
    assert torch.points
    assert torch == paddle


def test_the_fp32_file_has_the_metrics_of_the_framework_and_int8_predicts_what_was_simulated(both):
    for directory in both:
        from agreement.networks import workbench

        bench = workbench(Manager.discover(), "torch", directory.name)
        images, labels = bench.data.test
        files = [directory / "onnx/baseline-fp32.onnx", directory / "int8.onnx"]
        fp32, int8 = (OnnxRuntime(OnnxRuntimeConfig()).load(file, threads=1).run(images) for file in files)
        expected = read_json(directory / "metrics.json")
        assert {name: pytest.approx(value, abs=1e-3) for name, value in expected.items()} == TASK.metrics(fp32, labels)
        assert TASK.agreement(int8, np.load(directory / "outputs-simulated.npy")) >= 0.95
