"""A plan simulated in ONNX computes the reference's numbers, for every mode and width."""

from __future__ import annotations

import numpy as np
import pytest
from correcting import correction_run, inverted_block, outputs, smooth_images, sqnr, step, tensors

from paredown.algorithms.quantizing import fake_quantize
from paredown.deploy.canonical.graph import array_of, constants
from paredown.deploy.corrections.simulated import COPY, Simulation
from paredown.deploy.writing.qdq import write_qdq
from paredown.errors import PlanError
from paredown.plan import QuantPlan


@pytest.fixture
def network(build):
    return inverted_block(build)


@pytest.mark.parametrize("bits", [16, 8, 4])
def test_activations_are_rounded_exactly_as_in_the_reference(network, bits):
    images = smooth_images()
    plan = correction_run(network, images, step(activation_bits=bits)).plan(network, {})
    simulation = Simulation(network, plan)
    names = simulation.copy_network()
    simulated, stem = tensors(simulation.both(), [f"{COPY}s:q", names["s"]], images)
    point = next(point for point in plan.points if (point.layer, point.port) == ("expand", "input"))
    assert np.array_equal(simulated, fake_quantize(stem, point.tensor))


@pytest.mark.parametrize("weights", [{"bits": 4, "granularity": "group", "group_size": 3}, {"bits": 2}, {"bits": 1}])
def test_weight_only_is_the_float_network_with_other_weights(network, weights, evaluate):
    images = smooth_images()
    plan = correction_run(network, images, step("weight_only", **weights)).plan(network, {})
    known = constants(network.graph)
    expected = {
        f"{point.layer}.weight": fake_quantize(array_of(known[f"{point.layer}.weight"]), point.tensor)
        for point in plan.points
    }
    simulation = Simulation(network, plan)
    simulation.copy_network()
    held = {name: array_of(tensor) for name, tensor in constants(simulation.both().graph).items()}
    assert all(np.array_equal(held[COPY + name], values) for name, values in expected.items())
    assert not np.array_equal(outputs(network, images, plan), outputs(network, images))


def test_dynamic_ranges_are_those_of_each_batch(network):
    images = smooth_images(16)
    plan = correction_run(network, images, step("dynamic")).plan(network, {})
    simulation = Simulation(network, plan)
    names = simulation.copy_network()
    output = network.graph.node[1].output[0]
    read, given = tensors(simulation.both(), [f"{COPY}{output}:input", names["s"]], images)
    point = next(point for point in plan.points if (point.layer, point.port) == ("expand", "input"))
    assert np.array_equal(read, fake_quantize(given, point.tensor))


def test_the_simulation_is_close_to_the_deployed_file(network, evaluate):
    images = smooth_images(16)
    plan = correction_run(network, images, step()).plan(network, {})
    deployed = evaluate(write_qdq(network, plan), images)
    simulated = outputs(network, images, plan)
    exact = outputs(network, images)
    # Both round the same numbers; only ties at the last bit of a float fall to different sides.
    assert sqnr(simulated, deployed) > sqnr(deployed, exact) + 15


def test_a_layer_left_in_float_keeps_its_weight(network):
    images = smooth_images()
    run = correction_run(network, images, step(bits=4), left={"depthwise": "protected"})
    simulation = Simulation(network, run.plan(network, {}))
    simulation.copy_network()
    held = constants(simulation.both().graph)
    assert COPY + "expand.weight" in held
    assert COPY + "depthwise.weight" not in held


def test_a_plan_without_a_point_is_refused(network):
    images = smooth_images()
    plan = correction_run(network, images, step()).plan(network, {})
    short = QuantPlan(target=plan.target, points=tuple(point for point in plan.points if point.layer != "project"))
    with pytest.raises(PlanError, match="no point") as caught:
        Simulation(network, short).copy_network()
    assert caught.value.problems[0].where == "project"
    assert caught.value.problems[0].remedy
