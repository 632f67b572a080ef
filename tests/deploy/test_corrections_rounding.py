"""AdaRound: weights on the grid, rounded to whichever side makes the layer's outputs right."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from correcting import called_twice, corrected, correction_run, inverted_block, outputs, smooth_images, sqnr, step
from onnx import helper

from paredown.algorithms.quantizing import dequantize, fake_quantize, quantize
from paredown.contracts import CorrectionRun
from paredown.deploy.canonical.graph import array_of, constants
from paredown.deploy.corrections.patches import draw, inputs_at, outputs_at
from paredown.deploy.corrections.rounding import learn_rounding
from paredown.deploy.corrections.running import Tap
from paredown.deploy.places import layer_calls
from paredown.errors import DataError
from paredown.spec.components import AdaRound

QUICK = AdaRound(iterations=150, samples=64, positions=1024, lr=0.1)
LAYERS = ("stem", "expand", "depthwise", "project", "fc")


@pytest.fixture
def network(build):
    return inverted_block(build)


@pytest.mark.parametrize(
    "weights",
    [
        {"bits": 4},
        {"bits": 8},
        {"bits": 4, "symmetric": False},
        {"bits": 4, "granularity": "tensor"},
        {"bits": 4, "granularity": "group", "group_size": 5},
        {"bits": 2},
    ],
)
def test_learned_weights_lie_on_the_grid_beside_their_own_values(network, weights):
    run = correction_run(network, smooth_images(), step(**weights))
    found = learn_rounding(run, QUICK)
    known = constants(network.graph)
    assert found.weights
    assert set(found.arrays) == {f"{layer}.weight" for layer in found.weights}
    for layer, tensor in found.weights.items():
        learned, original = found.arrays[f"{layer}.weight"], array_of(known[f"{layer}.weight"])
        assert np.array_equal(dequantize(quantize(learned, tensor), tensor), learned)
        away = np.abs(quantize(learned, tensor).astype(int) - quantize(original, tensor).astype(int))
        assert away.max() == 1


def test_positions_are_spread_over_the_images_that_there_are(network):
    few = correction_run(network, smooth_images(4), step("weight_only", bits=4))
    options = AdaRound(iterations=1, samples=256, positions=64)
    evidence = learn_rounding(few, options).evidence
    assert evidence["images"] == 4
    assert max(evidence["positions"].values()) == 64
    assert min(evidence["positions"].values()) == 4  # the last layer has one output an image


def test_the_plan_keeps_the_scales_that_were_learned_for(network):
    run = correction_run(network, smooth_images(), step(bits=4))
    found = learn_rounding(run, QUICK)
    changed, plan = corrected(run, found)
    tensors = {point.layer: point.tensor for point in plan.points if point.port == "weight"}
    for layer, tensor in found.weights.items():
        weight = array_of(constants(changed.graph)[f"{layer}.weight"])
        assert tensors[layer] == tensor
        assert np.array_equal(fake_quantize(weight, tensor), weight)


def test_four_bits_beat_rounding_to_nearest_in_nearly_every_layer_and_at_the_output(network):
    images = smooth_images()
    run = correction_run(network, images, step("weight_only", bits=4))
    found = learn_rounding(run, QUICK)
    assert set(found.evidence["error"]) | set(found.evidence["nearest"]) == set(LAYERS)
    assert len(found.evidence["error"]) >= len(LAYERS) - 1
    assert np.median(list(found.evidence["error"].values())) < 0.8
    unseen = smooth_images(seed=9)
    exact = outputs(network, unseen)
    changed, plan = corrected(run, found)
    gain = sqnr(outputs(changed, unseen, plan), exact) - sqnr(outputs(network, unseen, run.plan(network, {})), exact)
    assert gain > 1.5


def test_one_seed_gives_the_same_bits(network):
    run = correction_run(network, smooth_images(), step(bits=4))
    first, second = (learn_rounding(run, QUICK).arrays for _ in range(2))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_binary_weights_and_float_layers_are_not_rounded(network):
    images = smooth_images()
    found = learn_rounding(correction_run(network, images, step("weight_only", bits=1)), QUICK)
    assert not found.arrays
    assert set(found.evidence["left"]) == set(LAYERS)
    run = correction_run(network, images, step(bits=4), left={"stem": "protected"})
    assert "stem.weight" not in learn_rounding(run, QUICK).arrays


def test_a_layer_that_is_called_twice_learns_from_both_calls(build):
    run = correction_run(called_twice(build), smooth_images(), step(bits=4))
    assert set(learn_rounding(run, QUICK).arrays) == {"a.weight"}


def test_padding_that_depends_on_the_image_is_named(build):
    state = {"a.weight": np.random.default_rng(0).normal(size=(2, 2, 3, 3)).astype(np.float32)}
    nodes = [("Conv", ["x", "a.weight"], ["y"], {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"})]
    run = correction_run(build(nodes, state, output=("N", 2, 6, 6)), smooth_images(), step(bits=4))
    found = learn_rounding(run, QUICK)
    assert found.evidence["left"] == {"a": "its padding depends on the image"}


def test_no_images_are_an_error(network):
    run = correction_run(network, smooth_images(), step(bits=4))
    with pytest.raises(DataError, match="no calibration images"):
        learn_rounding(CorrectionRun(network, lambda: iter(()), run.plan), QUICK)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((4, 6, 3, 3), {"pads": [1, 0, 2, 1], "strides": [2, 1], "dilations": [1, 2]}),
        ((6, 2, 3, 1), {"group": 3}),
        ((6, 1, 3, 3), {"group": 6, "pads": [1, 1, 1, 1]}),
        ((4, 6, 3), {"strides": [2], "pads": [1, 1]}),
    ],
)
def test_a_convolution_is_a_matrix_product_of_its_patches(shape, options):
    rng = np.random.default_rng(0)
    groups, kernel = options.get("group", 1), shape[2:]
    image = rng.normal(size=(3, shape[1] * groups, *[9, 7][: len(kernel)])).astype(np.float32)
    weight = rng.normal(size=shape).astype(np.float32)
    node = helper.make_node("Conv", ["x", "a.weight"], ["y"], **options)
    model = _model(node, image, weight)
    (expected,) = Tap(model, ["y"]).run(image)
    positions = draw(expected.shape, 20, rng)
    (call,) = layer_calls(model.graph)
    patches = inputs_at(call, kernel, image, positions)
    found = np.matmul(patches, weight.reshape(groups, shape[0] // groups, -1).transpose(0, 2, 1))
    flat = found.transpose(1, 0, 2).reshape(len(positions.images), -1)
    np.testing.assert_allclose(flat, outputs_at(expected, positions), rtol=1e-4, atol=1e-4)


def _model(node, image, weight):
    value = onnx.helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "g",
        [value("x", onnx.TensorProto.FLOAT, image.shape)],
        [value("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(weight, "a.weight")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("options", [{"lr": 100.0}, {"lr": 1e38}, {"regularization": 1e38}])
def test_learning_that_diverges_is_named_and_changes_nothing(network, options):
    images = smooth_images()[:8]
    wild = AdaRound(iterations=10, samples=8, positions=64, **options)
    found = learn_rounding(correction_run(network, images, step("weight_only", bits=4)), wild)
    diverged = {layer for layer, reason in found.evidence["left"].items() if "diverged" in reason}
    assert diverged == set(LAYERS)
    assert not found.arrays
    assert not found.evidence["nearest"]
