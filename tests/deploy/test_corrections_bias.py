"""Bias correction: the means of quantized layers become those of the float network."""

from __future__ import annotations

import numpy as np
import pytest
from correcting import (
    called_twice,
    corrected,
    correction_run,
    inverted_block,
    outputs,
    smooth_images,
    sqnr,
    step,
    tensors,
)

from paredown.contracts import CorrectionRun
from paredown.deploy.canonical.graph import array_of, constants, with_arrays
from paredown.deploy.corrections.bias import correct_bias
from paredown.deploy.corrections.simulated import Simulation
from paredown.errors import DataError
from paredown.spec.components import BiasCorrection

LAYERS = {"stem": "s", "expand": "e", "depthwise": "d", "project": "p", "fc": "y"}


def mean_errors(model, reference, plan, images):
    """The greatest mean error of a channel of each layer, quantized against the float reference."""
    simulation = Simulation(model, plan)
    names = simulation.copy_network()
    quantized = tensors(simulation.both(), [names[name] for name in LAYERS.values()], images)
    exact = tensors(reference, list(LAYERS.values()), images)
    return {
        layer: np.max(np.abs(np.mean(found - wanted, axis=(0, *range(2, found.ndim)))))
        for layer, found, wanted in zip(LAYERS, quantized, exact, strict=True)
    }


def one_layer_at_a_time(run, plan):
    """The slow way: a pass over all images for every layer, earlier layers corrected already."""
    model, moves = run.graph, {}
    for layer, name in LAYERS.items():
        found = _pair(model, plan, name, run)[0]
        wanted = _pair(run.graph, plan, name, run)[1]
        moves[layer] = np.mean(wanted - found, axis=(0, *range(2, found.ndim)))
        bias = array_of(constants(model.graph)[f"{layer}.bias"])
        model = with_arrays(model, {f"{layer}.bias": bias + moves[layer]})
    return moves


def _pair(model, plan, name, run):
    simulation = Simulation(model, plan)
    copy = simulation.copy_network()[name]
    return tensors(simulation.both(), [copy, name], np.concatenate(list(run.images())))


@pytest.mark.parametrize(
    "options", [step(bits=4), step(granularity="tensor"), step("dynamic"), step("weight_only", bits=4)]
)
def test_the_means_of_every_layer_come_back(build, options):
    model, images = inverted_block(build), smooth_images()
    run = correction_run(model, images, options)
    before = mean_errors(model, model, run.plan(model, {}), images)
    changed, _ = corrected(run, correct_bias(run, BiasCorrection()))
    after = mean_errors(changed, model, run.plan(model, {}), images)
    assert all(after[layer] < 0.25 * before[layer] for layer in LAYERS if layer != "fc"), (before, after)
    # The classifier sees one position an image: its means are less exact, and may be good by chance before.
    assert sum(after.values()) < 0.25 * sum(before.values())


def test_one_pass_finds_what_a_pass_for_every_layer_finds(build):
    model, images = inverted_block(build), smooth_images()
    run = correction_run(model, images, step(bits=4))
    found = correct_bias(run, BiasCorrection())
    slow = one_layer_at_a_time(run, run.plan(model, {}))
    known = constants(model.graph)
    for layer, move in slow.items():
        moved = found.arrays[f"{layer}.bias"] - array_of(known[f"{layer}.bias"])
        assert np.max(np.abs(moved - move)) < 0.1 * np.max(np.abs(move))


def test_the_quantized_network_comes_closer_to_the_float_one(build):
    model, images = inverted_block(build), smooth_images()
    run = correction_run(model, images, step(bits=4))
    exact = outputs(model, images)
    changed, plan = corrected(run, correct_bias(run, BiasCorrection()))
    assert sqnr(outputs(changed, images, plan), exact) > sqnr(outputs(model, images, run.plan(model, {})), exact) + 1


def test_layers_without_a_bias_and_layers_in_float_are_not_corrected(build):
    nodes = [
        ("Conv", ["x", "a.weight"], ["c"], {"kernel_shape": [3, 3]}),
        ("Conv", ["c", "b.weight", "b.bias"], ["d"], {"kernel_shape": [3, 3]}),
        ("Conv", ["d", "e.weight", "e.bias"], ["y"], {"kernel_shape": [1, 1]}),
    ]
    rng = np.random.default_rng(0)
    shapes = {
        "a.weight": (2, 2, 3, 3),
        "b.weight": (2, 2, 3, 3),
        "b.bias": (2,),
        "e.weight": (2, 2, 1, 1),
        "e.bias": (2,),
    }
    state = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    model = build(nodes, state, output=("N", 2, 2, 2))
    run = correction_run(model, smooth_images(), step(bits=4), left={"e": "protected"})
    found = correct_bias(run, BiasCorrection())
    assert set(found.arrays) == {"b.bias"}
    assert found.evidence["left"] == {"a": "it has no bias of its own to move"}
    assert found.evidence["moved"]["b"] > 0


def test_a_layer_that_is_called_twice_moves_once(build):
    run = correction_run(called_twice(build), smooth_images(), step(bits=4))
    assert set(correct_bias(run, BiasCorrection()).arrays) == {"a.bias"}


def test_the_same_run_gives_the_same_bits(build):
    run = correction_run(inverted_block(build), smooth_images(), step(bits=4))
    first, second = (correct_bias(run, BiasCorrection()).arrays for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_no_images_and_broken_images_are_errors(build):
    model, images = inverted_block(build), smooth_images()
    run = correction_run(model, images, step())
    with pytest.raises(DataError, match="no calibration images"):
        correct_bias(CorrectionRun(model, lambda: iter(()), run.plan), BiasCorrection())
    plan, broken = run.plan(model, {}), images.copy()
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        correct_bias(CorrectionRun(model, lambda: iter([broken]), lambda *_: plan), BiasCorrection())
