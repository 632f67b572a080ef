"""Pruned on one backend, loaded on the other: base model, plan and safetensors are the whole artifact."""

from __future__ import annotations

import numpy as np
import pytest
from agreement.networks import FRAMEWORKS, PRUNED

TOLERANCE = 1e-5
"""Of the greatest output."""


@pytest.mark.parametrize("pruned_on", FRAMEWORKS)
@pytest.mark.parametrize("network", PRUNED)
def test_a_pruned_network_answers_the_same_on_the_other_backend(exchanged, network, pruned_on):
    directory = exchanged[pruned_on]
    own, other = np.load(directory / network / "outputs-pruned.npy"), np.load(directory / f"exchanged-{network}.npy")
    assert np.abs(own - other).max() <= TOLERANCE * np.abs(own).max()


@pytest.mark.parametrize("pruned_on", FRAMEWORKS)
def test_a_finished_run_loads_on_the_other_backend(exchanged, pruned_on):
    directory = exchanged[pruned_on]
    own, other = np.load(directory / "run" / "outputs.npy"), np.load(directory / "exchanged-run.npy")
    assert np.abs(own - other).max() <= TOLERANCE * np.abs(own).max()
