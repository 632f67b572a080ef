"""The analysis: signal-to-noise ratios layer by layer, and which layers hurt most."""

from __future__ import annotations

import json

import numpy as np
import pytest
from correcting import batches, correction_run, inverted_block, outputs, smooth_images, sqnr, step, tensors

from paredown.algorithms.quantizing import fake_quantize
from paredown.deploy.analysis import LayerNoise, layer_noise, worst_first
from paredown.deploy.canonical.graph import array_of, constants, with_arrays
from paredown.deploy.corrections.simulated import Simulation
from paredown.deploy.noise import decibels
from paredown.errors import DataError, UnsupportedError
from paredown.plan import QuantPlan
from paredown.report.quantization import noise_plot, noise_rows

LAYERS = {"stem": "s", "expand": "e", "depthwise": "d", "project": "p", "fc": "y"}


@pytest.fixture
def network(build):
    return inverted_block(build)


def analysed(network, images, options=None):
    plan = correction_run(network, images, options or step()).plan(network, {})
    return plan, layer_noise(network, plan, lambda: batches(images))


def test_the_ratio_of_each_layer_is_that_of_the_formula(network):
    images = smooth_images()
    plan, records = analysed(network, images)
    simulation = Simulation(network, plan)
    names = simulation.copy_network()
    found = tensors(simulation.both(), [names[name] for name in LAYERS.values()], images)
    exact = tensors(network, list(LAYERS.values()), images)
    assert [record.layer for record in records] == list(LAYERS)
    for record, values, wanted in zip(records, found, exact, strict=True):
        assert record.together == pytest.approx(sqnr(values, wanted), abs=1e-3)


def test_alone_only_this_layers_weight_and_inputs_are_quantized(network):
    images = smooth_images()
    plan, records = analysed(network, images, step(bits=4))
    point = {(point.layer, point.port): point.tensor for point in plan.points}
    weight = array_of(constants(network.graph)["fc.weight"])
    read, exact = tensors(network, ["f", "y"], images)
    inputs = fake_quantize(read, point["fc", "input"]).astype(np.float64)
    bias = array_of(constants(network.graph)["fc.bias"])
    found = inputs @ fake_quantize(weight, point["fc", "weight"]).T.astype(np.float64) + bias
    last = records[-1]
    assert last.alone == pytest.approx(sqnr(found, exact), abs=1e-3)
    # The last layer's output is the network's.
    assert last.network == pytest.approx(last.alone, abs=1e-3)


def test_what_a_layer_does_to_the_network_is_measured_at_its_output(network):
    images = smooth_images()
    options = step("weight_only", bits=4)
    plan, records = analysed(network, images, options)
    point = {point.layer: point.tensor for point in plan.points}
    known = constants(network.graph)
    for record in records:
        name = f"{record.layer}.weight"
        changed = with_arrays(network, {name: fake_quantize(array_of(known[name]), point[record.layer])})
        assert record.network == pytest.approx(sqnr(outputs(changed, images), outputs(network, images)), abs=1e-3)


def test_the_layer_with_the_worst_weights_comes_first(network):
    known = constants(network.graph)
    arrays = {name: array_of(known[name]).copy() for name in ("depthwise.weight", "depthwise.bias", "project.weight")}
    # A channel that is always zero is read with a weight so large that it takes the range from all the others.
    arrays["depthwise.weight"][0], arrays["depthwise.bias"][0], arrays["project.weight"][0, 0] = 0.0, -1.0, 60.0
    spoiled = with_arrays(network, arrays)
    _, records = analysed(spoiled, smooth_images(), step("weight_only", bits=4, granularity="tensor"))
    ranked = worst_first(records)
    assert ranked[0] == "project"
    assert sorted(ranked) == sorted(LAYERS)


@pytest.mark.parametrize("options", [step("dynamic"), step("weight_only", bits=2), step(activation_bits=4)])
def test_every_mode_with_integers_is_analysed(network, options):
    _, records = analysed(network, smooth_images(), options)
    assert all(0 < ratio < 80 for record in records for ratio in (record.network, record.together))


def test_the_images_are_read_in_batches_of_any_size(network):
    images = smooth_images()
    plan, records = analysed(network, images)
    whole = layer_noise(network, plan, lambda: [images])
    for one, other in zip(records, whole, strict=True):
        assert list(one.to_dict().values())[1:] == pytest.approx(list(other.to_dict().values())[1:], abs=1e-3)


def test_layers_left_in_float_have_no_record(network):
    images = smooth_images()
    plan = correction_run(network, images, step(), left={"expand": "protected"}).plan(network, {})
    assert "expand" not in [record.layer for record in layer_noise(network, plan, lambda: batches(images))]


def test_no_images_are_an_error(network):
    plan = correction_run(network, smooth_images(), step()).plan(network, {})
    with pytest.raises(DataError, match="no images to analyse"):
        layer_noise(network, plan, lambda: ())


def test_an_image_that_is_not_finite_is_an_error(network):
    images = smooth_images()
    plan = correction_run(network, images, step()).plan(network, {})
    images[0, 0, 0, 0] = np.inf
    with pytest.raises(DataError, match="not finite"):
        layer_noise(network, plan, lambda: batches(images))


def test_sixteen_bit_floats_have_no_layers_to_analyse(network):
    with pytest.raises(UnsupportedError, match="16-bit floats"):
        layer_noise(network, QuantPlan(mode="fp16", target="vnni", points=()), lambda: ())


def test_ratios_are_finite_whatever_the_noise():
    assert decibels(100.0, 1.0) == pytest.approx(20.0)
    assert decibels(1.0, 0.0) == 200.0
    assert decibels(0.0, 0.0) == 200.0
    assert decibels(0.0, 1.0) == -200.0
    assert decibels(1e-300, 1e300) == -200.0


def test_ties_keep_the_order_of_execution():
    records = [LayerNoise(name, 1.0, 1.0, noise) for name, noise in (("a", 9.0), ("b", 3.0), ("c", 3.0))]
    assert worst_first(records) == ["b", "c", "a"]


def test_the_plot_and_the_table_come_from_plain_data():
    records = [LayerNoise("layer1.0.conv1", 31.0, 40.5, 44.0).to_dict(), LayerNoise("fc", 30.0, 35.0, 35.0).to_dict()]
    restored = json.loads(json.dumps(records))
    assert restored == records
    fragment = noise_plot(restored, with_library=False)
    assert "layer1.0.conv1" in fragment
    assert "signal-to-noise ratio, in dB" in fragment
    assert "<html" not in fragment
    assert noise_rows(restored) == [("fc", "35.0", "35.0", "30.0"), ("layer1.0.conv1", "44.0", "40.5", "31.0")]
