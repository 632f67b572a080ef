"""One name and one width, one network: what a width multiplier leaves is the same in both frameworks."""

from __future__ import annotations

import re

import numpy as np
import pytest
from agreement.networks import FRAMEWORKS, at_widths
from backend_processes import ask_all

from paredown.engine.journal import read_plan
from paredown.files import read_json
from paredown.twins import TORCH_ONLY, TORCH_PIXELS, UNIFORM, WIDTHS

TWINS = [network for network in WIDTHS if network not in (*TORCH_ONLY, *TORCH_PIXELS)]
CASES = [f"{network}@{width}" for network in TWINS for width in at_widths(WIDTHS[network])]
TOLERANCE = 1e-4
"""Of the greatest output."""

CHANNELS = {
    "cnn@0.35": [16, 24, 48],
    "cnn@1.4": [48, 88, 176],
    "resnet20@0.75": [16, *[16] * 3, *[24] * 3, *[48] * 3],
    "mobilenet_v1@0.5": [16, 32, 64, 64, 128, 128, *[256] * 6, 512, 512],
    "mobilenet_v1@1.4": [44, 89, 179, 179, 358, 358, *[716] * 6, 1433, 1433],
    "mobilenet_v2@0.5": [16, 8, *[16] * 2, *[16] * 3, *[32] * 4, *[48] * 3, *[80] * 3, 160, 1280],
    "mobilenet_v2@0.75": [24, 16, *[24] * 2, *[24] * 3, *[48] * 4, *[72] * 3, *[120] * 3, 240, 1280],
    "mobilenet_v2@1.4": [48, 24, *[32] * 2, *[48] * 3, *[88] * 4, *[136] * 3, *[224] * 3, 448, 1792],
    "mobilenet_v2_small@0.5": [8, 4, 8, 8, 8, 8, 8, 16, 16, 16, 24, 24, 40, 160],
    "mobilenet_v3_small@0.75": [16, 16, *[24] * 2, *[32] * 3, *[40] * 2, *[72] * 3, 432],
    "mobilenet_v3_large@0.5": [8, 8, *[16] * 2, *[24] * 3, *[40] * 4, *[56] * 2, *[80] * 3, 480],
    "resnet18@0.5": [32, *[32] * 2, *[64] * 2, *[128] * 2, *[256] * 2],
    "vgg11@0.125": [8, 16, *[32] * 2, *[64] * 4],
}
"""By hand: what the stem, every block and the last convolution give."""

BLOCK = re.compile(r"(blocks|features|layer\d)\.\d+|\w+")
"""The part of a layer's name that says its block."""


@pytest.fixture(scope="module")
def built(tmp_path_factory, processes):
    """By backend, the directory that `widths.py` filled."""
    directories = {name: tmp_path_factory.mktemp(name) for name in FRAMEWORKS}
    ask_all(processes, "agreement.widths", directories)
    return directories


@pytest.fixture(scope="module")
def facts(built):
    return {backend: read_json(directory / "widths.json") for backend, directory in built.items()}


@pytest.mark.parametrize("case", CASES)
def test_names_order_shapes_and_sizes_are_equal(facts, case):
    assert facts["torch"][case] == facts["paddle"][case]


@pytest.mark.parametrize("case", CHANNELS)
def test_channels_are_those_of_the_rule(facts, case):
    layers = facts["torch"][case]["layers"]
    last = {BLOCK.match(name)[0]: shape[0] for name, kind, shape, *_ in layers if kind == "conv"}
    assert list(last.values()) == CHANNELS[case]


def test_convolutions_in_groups_keep_the_channels_of_each_group(facts):
    layers = facts["torch"]["resnext50_32x4d@0.125"]["layers"]
    grouped = [(shape[0], shape[1], groups) for _, kind, shape, _, _, groups, *_ in layers if groups > 1]
    assert grouped == [*[(16, 4, 4)] * 3, *[(32, 8, 4)] * 4, *[(64, 16, 4)] * 6, *[(128, 32, 4)] * 3]


@pytest.mark.parametrize("network", TWINS)
def test_equal_weights_give_equal_answers(built, network):
    torch, paddle = (np.load(built[backend] / f"{network}.npy") for backend in FRAMEWORKS)
    assert np.abs(torch - paddle).max() <= TOLERANCE * np.abs(torch).max()


def test_a_network_at_another_width_is_exported_and_cut_alike(built):
    torch, paddle = (read_json(built[backend] / "groups.json") for backend in FRAMEWORKS)
    assert torch == paddle
    assert set(torch["left_whole"].values()) == {"its outputs are the network's"}
    torch, paddle = (read_plan(built[backend] / "plan.json") for backend in FRAMEWORKS)
    assert torch.cuts
    assert torch == paddle
    assert len({(built[backend] / "pruned.safetensors").read_bytes() for backend in FRAMEWORKS}) == 1


@pytest.mark.parametrize("network", [network for network in TWINS if network in UNIFORM])
def test_every_count_of_channels_is_the_width_times_that_of_width_1(facts, network):
    half, eighth = (facts["torch"][f"{network}@{width}"]["layers"] for width in (0.5, 0.125))
    assert [layer[0] for layer in half] == [layer[0] for layer in eighth]
    assert [layer[2][0] for layer in half[:-1]] == [4 * layer[2][0] for layer in eighth[:-1]]
