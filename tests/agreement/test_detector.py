"""Detectors, with several outputs and layers that are called twice: equal decisions, equal files, equal answers."""

from __future__ import annotations

import numpy as np
import pytest
from agreement.networks import FRAMEWORKS
from backend_processes import ask_all

from paredown.comparison import same_decisions
from paredown.engine.journal import read_plan
from paredown.files import read_json

BOXES, MASKS = "fcos_mobilenet_v2_small", "fcos_mask_mobilenet_v2_small"
SHAPES = {BOXES: [(16, 10, 80), (16, 4, 80), (16, 80)]}
SHAPES[MASKS] = [*SHAPES[BOXES], (16, 16, 80), (16, 16, 16, 16)]
HEADS = {BOXES: {"class_logits", "box_distances", "centerness"}}
HEADS[MASKS] = {*HEADS[BOXES], "mask_coefficients", "prototypes"}
SHARED = {"class_tower.0", "class_tower.2", "box_tower.0", "box_tower.2", *HEADS[BOXES]}
"""Layers that both levels call."""


# The detector with masks is the other, layer by layer, and more: alone, that one is left to `make agreement`.
@pytest.fixture(scope="module", params=[pytest.param(BOXES, marks=pytest.mark.matrix), MASKS])
def both(request, tmp_path_factory, processes):
    """The directories that `detector.py` filled, which have the network's name."""
    directories = {name: tmp_path_factory.mktemp(name) / request.param for name in FRAMEWORKS}
    for directory in directories.values():
        directory.mkdir()
    ask_all(processes, "agreement.detector", directories)
    return list(directories.values())


def test_equal_weights_give_equal_outputs(both):
    torch, paddle = (np.load(directory / "outputs.npz") for directory in both)
    assert [torch[name].shape for name in torch.files] == SHAPES[both[0].name]
    for name in torch.files:
        assert np.abs(torch[name] - paddle[name]).max() <= 1e-4 * np.abs(torch[name]).max()
    assert (torch["arr_1"] >= 0).all()


def test_channels_go_through_the_pyramid_and_the_shared_heads_alike(both):
    torch, paddle = (read_json(directory / "groups.json") for directory in both)
    assert torch == paddle
    assert torch["left_whole"] == dict.fromkeys(HEADS[both[0].name], "its outputs are the network's")
    members = [{member["parameter"] for member in group["members"]} for group in torch["groups"]]
    smooth = {"smooth4.weight", "smooth8.weight"}
    assert any({"lateral4.weight", "lateral8.weight", *smooth} <= own for own in members)
    assert any({"class_tower.0.weight", "box_tower.0.weight", *smooth} <= own for own in members)


def test_weights_and_the_gradients_of_the_detectors_loss_decide_alike(both):
    torch, paddle = (read_plan(directory / "plan-global-l2.json") for directory in both)
    assert torch.cuts
    assert torch == paddle
    assert same_decisions(*(read_plan(directory / "plan-taylor.json") for directory in both)) >= 0.99
    assert len({(directory / "pruned.safetensors").read_bytes() for directory in both}) == 1


@pytest.mark.parametrize("file", ["onnx/baseline-fp32.onnx", "int8.onnx"])
def test_files_are_equal_byte_for_byte(both, file):
    torch, paddle = ((directory / file).read_bytes() for directory in both)
    assert torch == paddle


def test_each_call_of_a_shared_layer_has_a_scale_of_its_own(both):
    torch, paddle = (read_plan(directory / "plan-quantize.json") for directory in both)
    assert torch == paddle
    scales = {(point.layer, point.index): point.tensor.scale for point in torch.points if point.port == "input"}
    for layer in SHARED:
        assert scales[layer, 0] != scales[layer, 1]
    assert [point.layer for point in torch.points if point.port == "weight"].count("class_logits") == 1


def test_the_file_answers_as_the_framework_and_int8_as_it_was_simulated(both):
    torch, paddle = (np.load(directory / "simulated.npz") for directory in both)
    for name in torch.files:
        # A value on a rounding edge may fall either way, and is one step of a scale off then.
        assert np.abs(torch[name] - paddle[name]).max() <= 0.05 * np.abs(torch[name]).max()
    for directory in both:
        assert read_json(directory / "facts.json")["difference"] <= 1e-4


@pytest.mark.parametrize("both", [MASKS], indirect=True)
def test_the_noise_of_a_layer_is_that_on_the_output_which_it_hurts_most(both):
    noise = read_json(both[0] / "noise.json")
    # A head disturbs its own output alone; the others are as they were, which would be 200 dB.
    assert all(noise[head] < 60 for head in HEADS[both[0].name])
