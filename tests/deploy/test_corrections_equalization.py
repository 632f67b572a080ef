"""Cross-layer equalization: the same float network, with weights that quantize better."""

from __future__ import annotations

import numpy as np
import pytest
from correcting import PADDED, corrected, correction_run, inverted_block, outputs, smooth_images, sqnr, step

from paredown.deploy.canonical import canonicalize
from paredown.deploy.canonical.graph import array_of, constants, with_arrays
from paredown.deploy.corrections.equalization import equalize
from paredown.spec.components import Equalization

PER_TENSOR = step(granularity="tensor")


def spread_out(model, first, second, *, per_input, seed=3):
    """The same network with the channels between two layers scaled by factors from 1/100 to 100."""
    known = constants(model.graph)
    arrays = {name: array_of(known[name]) for name in (f"{first}.weight", f"{first}.bias", f"{second}.weight")}
    factor = 10.0 ** np.random.default_rng(seed).uniform(-2, 2, len(arrays[f"{first}.bias"])).astype(np.float32)
    arrays[f"{first}.weight"] = arrays[f"{first}.weight"] * factor.reshape(-1, 1, 1, 1)
    arrays[f"{first}.bias"] = arrays[f"{first}.bias"] * factor
    shape = (1, -1, 1, 1) if per_input else (-1, 1, 1, 1)
    arrays[f"{second}.weight"] = arrays[f"{second}.weight"] / factor.reshape(shape)
    return with_arrays(model, arrays)


def relative(found, expected):
    return np.max(np.abs(found - expected)) / np.max(np.abs(expected))


def run_it(model, images, options=PER_TENSOR):
    run = correction_run(model, images, options)
    return run, equalize(run, Equalization())


def test_a_depthwise_triple_of_wild_ranges_gains_much_and_computes_the_same(build):
    model, images = inverted_block(build), smooth_images()
    wild = spread_out(model, "expand", "depthwise", per_input=False)
    wild = spread_out(wild, "depthwise", "project", per_input=True, seed=4)
    exact = outputs(wild, images)
    run, found = run_it(wild, images)
    changed, plan = corrected(run, found)
    assert relative(outputs(changed, images), exact) < 1e-5
    before, after = sqnr(outputs(wild, images, run.plan(wild, {})), exact), sqnr(outputs(changed, images, plan), exact)
    assert after > before + 10
    assert found.evidence["pairs"] == ["expand -> depthwise", "depthwise -> project"]
    assert found.evidence["spread"]["after"] < found.evidence["spread"]["before"] / 5


def test_all_three_ranges_of_a_depthwise_triple_become_equal(build):
    model = inverted_block(build)
    free = with_arrays(model, {name: np.zeros(8, np.float32) for name in ("expand.bias", "depthwise.bias")})
    found = equalize(correction_run(free, smooth_images(), PER_TENSOR), Equalization(iterations=100))
    ranges = [
        np.abs(found.arrays["expand.weight"]).max(axis=(1, 2, 3)),
        np.abs(found.arrays["depthwise.weight"]).max(axis=(1, 2, 3)),
        np.abs(found.arrays["project.weight"]).max(axis=(0, 2, 3)),
    ]
    np.testing.assert_allclose(ranges[0], ranges[1], rtol=1e-2)
    np.testing.assert_allclose(ranges[1], ranges[2], rtol=1e-2)


@pytest.mark.parametrize("activation", ["Clip", "HardSwish"])
def test_pairs_around_a_bent_function_are_left_and_named(build, activation):
    model = inverted_block(build, activation=activation)
    _, found = run_it(model, smooth_images())
    assert not found.arrays
    reason = f"{activation} between them"
    assert found.evidence["left"] == {"expand -> depthwise": reason, "depthwise -> project": reason}


def test_what_a_residual_reads_too_is_left_alone(canonical, images):
    _, found = run_it(canonical, images)
    assert found.evidence == {"pairs": [], "rounds": 0, "left": {}, "spread": {"before": 1.0, "after": 1.0}}


def chain(build, seed=5, *, group=1, names=("a", "b")):
    """Convolution, ReLU, max pooling, convolution of groups, ReLU, flattening, Gemm; the first without a bias."""
    rng = np.random.default_rng(seed)
    first, second = names
    state = {
        f"{first}.weight": rng.normal(size=(6, 2, 3, 3)),
        f"{second}.weight": rng.normal(size=(4, 6 // group, 3, 3)),
        f"{second}.bias": rng.normal(size=4),
        "fc.weight": rng.normal(size=(3, 36)),
        "fc.bias": rng.normal(size=3),
    }
    nodes = [
        ("Conv", ["x", f"{first}.weight"], ["c"], PADDED),
        ("Relu", ["c"], ["r"]),
        ("MaxPool", ["r"], ["m"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Conv", ["m", f"{second}.weight", f"{second}.bias"], ["d"], {**PADDED, "group": group}),
        ("Relu", ["d"], ["q"]),
        ("Flatten", ["q"], ["f"]),
        ("Gemm", ["f", "fc.weight", "fc.bias"], ["y"], {"transB": 1}),
    ]
    return build(nodes, {name: values.astype(np.float32) for name, values in state.items()})


@pytest.mark.parametrize("group", [1, 2])
def test_channels_are_followed_through_pooling_groups_and_flattening(build, group):
    model, images = canonicalize(chain(build, group=group), {}), smooth_images()
    _, found = run_it(model, images)
    assert found.evidence["pairs"] == ["a -> b", "b -> fc"]
    assert set(found.arrays) == {"a.weight", "b.weight", "b.bias", "fc.weight"}
    changed = with_arrays(model, found.arrays)
    assert relative(outputs(changed, images), outputs(model, images)) < 1e-5


def test_channels_that_pruning_emptied_keep_their_scale(build):
    model, images = inverted_block(build), smooth_images()
    weight = array_of(constants(model.graph)["expand.weight"]).copy()
    weight[2] = 0
    pruned = with_arrays(model, {"expand.weight": weight})
    _, found = run_it(pruned, images)
    assert all(np.all(np.isfinite(values)) for values in found.arrays.values())
    assert relative(outputs(with_arrays(pruned, found.arrays), images), outputs(pruned, images)) < 1e-5


def test_a_channel_of_tiny_weights_does_not_grow_a_giant_bias(build):
    model = inverted_block(build)
    weight = array_of(constants(model.graph)["expand.weight"]).copy()
    weight[2] *= 1e-6
    _, found = run_it(with_arrays(model, {"expand.weight": weight}), smooth_images())
    largest = np.max(np.abs(array_of(constants(model.graph)["expand.bias"])))
    assert np.max(np.abs(found.arrays["expand.bias"])) <= largest * (1 + 1e-6)


def test_a_weight_that_two_layers_share_is_left_alone(build):
    rng = np.random.default_rng(0)
    state = {"a.weight": rng.normal(size=(2, 2, 3, 3)).astype(np.float32)}
    nodes = [
        ("Conv", ["x", "a.weight"], ["c"], PADDED),
        ("Relu", ["c"], ["r"]),
        ("Conv", ["r", "a.weight"], ["y"], PADDED),
    ]
    _, found = run_it(build(nodes, state, output=("N", 2, 6, 6)), smooth_images())
    assert not found.arrays
    assert not found.evidence["pairs"]
