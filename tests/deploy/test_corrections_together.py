"""Several corrections: each comes near the float network's outputs, not near what another made of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from correcting import correction_run, inverted_block, outputs, smooth_images, sqnr, step, tensors

from paredown.deploy.analysis import layer_noise
from paredown.deploy.canonical.graph import array_of, constants, with_arrays
from paredown.deploy.corrections.bias import correct_bias
from paredown.deploy.corrections.rounding import learn_rounding
from paredown.deploy.corrections.simulated import Simulation
from paredown.spec.components import AdaRound, BiasCorrection

QUICK = AdaRound(iterations=150, samples=64, positions=1024, lr=0.1)
LAYERS = {"stem": "s", "expand": "e", "depthwise": "d", "project": "p", "fc": "y"}


@pytest.fixture
def network(build):
    return inverted_block(build)


@pytest.fixture
def images():
    return smooth_images()


def after(run, arrays, weights):
    """The run that the next correction gets."""
    changed = {**run.changed, **arrays}
    plan = run.plan

    def fixed_plan(graph, fixed):
        return plan(graph, {**weights, **fixed})

    return replace(run, graph=with_arrays(run.target, changed), reference=run.target, changed=changed, plan=fixed_plan)


def greatest_mean_error(run, images):
    """Of a channel of any layer, quantized with all that was changed, against the float network."""
    simulation = Simulation(run.target, run.plan(run.graph, {}), run.changed)
    names = simulation.copy_network()
    found = tensors(simulation.both(), [names[name] for name in LAYERS.values()], images)
    exact = tensors(run.target, list(LAYERS.values()), images)
    return max(
        np.max(np.abs(np.mean(one - other, axis=(0, *range(2, one.ndim)))))
        for one, other in zip(found, exact, strict=True)
    )


def test_bias_correction_behind_adaround_brings_back_the_float_network_s_means(network, images):
    run = correction_run(network, images, step("weight_only", bits=4))
    rounded = learn_rounding(run, QUICK)
    run = after(run, rounded.arrays, rounded.weights)
    before = greatest_mean_error(run, images)
    moved = correct_bias(run, BiasCorrection())
    assert greatest_mean_error(after(run, moved.arrays, {}), images) < 0.05 * before


def test_the_analysis_counts_the_noise_that_rounding_made(network, images):
    run = correction_run(network, images, step("weight_only", bits=4))
    rounded = learn_rounding(run, QUICK)
    run = after(run, rounded.arrays, rounded.weights)
    plan = run.plan(run.graph, {})
    noise = {one.layer: one for one in layer_noise(run.target, plan, run.images, run.changed)}
    assert all(noise[layer].alone < 40 for layer in rounded.weights)
    found = sqnr(outputs(run.graph, images, plan), outputs(network, images))
    assert noise["fc"].together == pytest.approx(found, abs=0.1)


def test_adaround_leaves_weights_of_zero_at_zero(network, images):
    pruned = {}
    for layer in LAYERS:
        weight = array_of(constants(network.graph)[f"{layer}.weight"]).copy()
        weight[np.abs(weight) < np.quantile(np.abs(weight), 0.5)] = 0
        pruned[f"{layer}.weight"] = weight
    model = with_arrays(network, pruned)
    found = learn_rounding(correction_run(model, images, step(bits=4)), QUICK)
    assert found.arrays
    for name, weight in found.arrays.items():
        assert not np.any(weight[pruned[name] == 0])
