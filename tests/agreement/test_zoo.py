"""One name, one network: the zoo's networks are the same in both frameworks."""

from __future__ import annotations

import numpy as np
import pytest
from agreement.networks import PRUNED
from agreement.zoo import NETWORKS

from paredown.files import read_json
from paredown.twins import TORCH_DETECTORS, TORCH_ONLY, TORCH_PIXELS

LARGE = ("resnet50", "wide_resnet50_2", "resnext50_32x4d", "vgg11", "vgg11_bn")
"""Built and counted only."""

TOLERANCE = 1e-4
"""Of the greatest output."""


@pytest.fixture(scope="module")
def zoos(produced):
    return {backend: read_json(directory / "zoo.json") for backend, directory in produced.items()}


@pytest.fixture(scope="module")
def facts(zoos):
    return {backend: zoo["networks"] for backend, zoo in zoos.items()}


def test_both_backends_build_the_same_networks(zoos):
    assert sorted(zoos["paddle"]["names"]) == sorted(NETWORKS)
    assert sorted(zoos["torch"]["names"]) == sorted((*NETWORKS, *TORCH_ONLY, *TORCH_PIXELS, *TORCH_DETECTORS))


@pytest.mark.parametrize("network", NETWORKS)
def test_names_order_and_shapes_are_equal(facts, network):
    assert facts["torch"][network]["arrays"] == facts["paddle"][network]["arrays"]


@pytest.mark.parametrize("network", NETWORKS)
def test_layers_with_weights_are_called_in_the_same_order_on_the_same_shapes(facts, network):
    assert facts["torch"][network]["layers"] == facts["paddle"][network]["layers"]


@pytest.mark.parametrize("network", NETWORKS)
def test_parameters_and_macs_are_equal(facts, network):
    for figure in ("params", "macs"):
        assert facts["torch"][network][figure] == facts["paddle"][network][figure] > 0


@pytest.mark.parametrize("network", [name for name in NETWORKS if name not in LARGE])
def test_equal_weights_give_equal_answers(produced, network):
    file = f"{network}/outputs.npy" if network in PRUNED else f"zoo-{network}.npy"
    torch, paddle = (np.load(produced[backend] / file) for backend in ("torch", "paddle"))
    assert np.abs(torch - paddle).max() <= TOLERANCE * np.abs(torch).max()


@pytest.mark.parametrize("network", PRUNED)
def test_initial_weights_are_equal_and_are_the_seeds(produced, network):
    torch, paddle = (read_json(produced[backend] / network / "facts.json")["drawn"] for backend in ("torch", "paddle"))
    assert torch == paddle
