"""The plan of each mode: which places it quantizes, and what it takes as given."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.observers.extremes import MinMax
from paredown.algorithms.qparams import AT_RUN_TIME, activation_qparams, weight_qparams
from paredown.deploy.calibrate import calibrate
from paredown.deploy.places import places, quantized_tensors
from paredown.deploy.points import make_plan
from paredown.deploy.writing import precision_of, write_quantized
from paredown.engine.quantization import require_points
from paredown.errors import NoEffectError, PlanError, UnsupportedError
from paredown.plan import QuantPlan
from paredown.spec.models import QuantizeStep, QuantizeWeights

LAYERS = ["conv1", "conv2", "fc"]


@pytest.fixture
def ranges(canonical, images):
    return calibrate(canonical, [images], lambda: MinMax(None))


def keys(plan):
    return {(point.layer, point.port, point.index) for point in plan.points}


@pytest.mark.parametrize("mode", ["static", "qat"])
def test_calibrated_modes_have_a_point_for_every_place_and_weight(canonical, ranges, step, mode):
    plan = make_plan(canonical, ranges, step.model_copy(update={"mode": mode}), "portable")
    expected = {(one.layer, one.port, one.index) for own in places(canonical.graph).values() for one in own}
    assert plan.mode == mode
    assert keys(plan) == expected | {(layer, "weight", 0) for layer in LAYERS}
    assert not plan.left_float


def test_dynamic_plans_have_an_input_for_every_call_and_the_weights(canonical):
    plan = make_plan(canonical, {}, QuantizeStep(mode="dynamic"), "portable")
    assert keys(plan) == {(layer, port, 0) for layer in LAYERS for port in ("input", "weight")}
    assert all((point.tensor == AT_RUN_TIME) == (point.port == "input") for point in plan.points)


def test_a_layer_that_is_called_twice_has_two_inputs_at_run_time(build):
    kernel = np.ones((2, 2, 1, 1), np.float32)
    nodes = [("Conv", ["x", "a.weight"], ["h"]), ("Relu", ["h"], ["r"]), ("Conv", ["r", "a.weight"], ["y"])]
    model = build(nodes, {"a.weight": kernel}, output=("N", 2, 6, 6))
    plan = make_plan(model, {}, QuantizeStep(mode="dynamic"), "portable")
    assert [(point.port, point.index) for point in plan.points] == [("input", 0), ("input", 1), ("weight", 0)]


def test_weight_only_plans_have_weights_alone_and_reach_as_far_as_the_width_does(canonical):
    plan = make_plan(canonical, {}, QuantizeStep(mode="weight_only"), "portable")
    assert keys(plan) == {(layer, "weight", 0) for layer in LAYERS}
    assert {(point.tensor.qmin, point.tensor.qmax) for point in plan.points} == {(-127, 127)}


@pytest.mark.parametrize("mode", ["static", "dynamic", "weight_only"])
def test_a_plan_that_leaves_every_layer_in_float_quantizes_nothing_and_writes_the_float_network(
    canonical, ranges, step, mode
):
    given = step if mode == "static" else QuantizeStep(mode=mode)
    plan = make_plan(canonical, ranges, given, "portable", left=dict.fromkeys(LAYERS, "protected"))
    assert plan.leaves_all_in_float
    assert (plan.points, precision_of(plan)) == ((), "fp32")
    written = write_quantized(canonical, plan)
    assert [node.op_type for node in written.graph.node] == [node.op_type for node in canonical.graph.node]
    assert not make_plan(canonical, ranges, given, "portable", left={"fc": "protected"}).leaves_all_in_float


def test_points_of_the_graph_alone_are_no_quantization(canonical, ranges, step):
    plan = make_plan(canonical, ranges, step, "portable")
    alone = plan.model_copy(update={"points": tuple(point for point in plan.points if point.owner == "graph")})
    assert alone.points
    assert alone.leaves_all_in_float
    with pytest.raises(NoEffectError, match="nothing in this network can be quantized"):
        require_points(alone, "steps[0]")


def test_half_precision_has_no_points(canonical):
    plan = make_plan(canonical, {}, QuantizeStep(mode="fp16"), "portable", left={"fc": "protected"})
    assert (plan.mode, plan.points, plan.left_float) == ("fp16", (), {"fc": "protected"})


@pytest.mark.parametrize("bits", [8, 4, 2, 1])
@pytest.mark.parametrize("granularity", ["channel", "tensor", "group"])
def test_weights_are_quantized_as_the_step_says(canonical, ranges, state, step, bits, granularity):
    options = QuantizeWeights(bits=bits, granularity=granularity, group_size=3 if granularity == "group" else None)
    plan = make_plan(canonical, ranges, step.model_copy(update={"weights": options}), "vnni")
    found = {point.layer: point.tensor for point in plan.points if point.port == "weight"}
    for layer in LAYERS:
        assert found[layer] == weight_qparams(state[f"{layer}.weight"], options, "vnni")


def test_a_channel_of_tiny_weights_gets_a_scale_that_its_bias_fits(build, step):
    weight = np.zeros((2, 2, 1, 1), np.float32)
    weight[0] = 1e-12
    model = build(
        [("Conv", ["x", "a.weight", "a.bias"], ["y"])],
        {"a.weight": weight, "a.bias": np.float32([1, 0])},
        output=("N", 2, 6, 6),
    )
    plan = make_plan(model, {"x": (-1.0, 1.0)}, step, "portable")
    activation, tensor = (point.tensor for point in plan.points)
    assert 1.0 / (activation.scale[0] * tensor.scale[0]) <= 2**30 * 1.001
    floats = make_plan(model, {}, QuantizeStep(mode="weight_only"), "portable")
    assert floats.points[0].tensor.scale[0] < 1e-13


def test_a_layer_left_in_float_has_no_points_of_its_own(canonical, ranges, step):
    plan = make_plan(canonical, ranges, step, "portable", left={"conv2": "the worst layer"})
    assert plan.left_float == {"conv2": "the worst layer"}
    assert not [point for point in plan.points if point.layer == "conv2"]
    assert ("conv1", "weight", 0) in keys(plan)


@pytest.mark.parametrize("left", [["conv1"], ["conv2"], ["fc"], ["conv1", "conv2"], LAYERS])
def test_one_calibration_serves_every_choice_of_layers_left_in_float(canonical, ranges, step, left):
    assert set(quantized_tensors(canonical.graph, left)) <= set(ranges)
    plan = make_plan(canonical, ranges, step, "portable", left=dict.fromkeys(left, "tried"))
    assert {point.layer for point in plan.points if point.port == "weight"} == set(LAYERS) - set(left)


def test_a_layer_that_cannot_be_quantized_is_named_with_the_reason(build, step):
    kernel = np.ones((2, 2, 1, 1), np.float32)
    nodes = [("Conv", ["x", "a.weight"], ["h"]), ("ConvTranspose", ["h", "b.weight"], ["y"])]
    model = build(nodes, {"a.weight": kernel, "b.weight": kernel}, output=("N", 2, 6, 6))
    plan = make_plan(model, {"x": (0.0, 1.0), "h": (0.0, 1.0)}, step, "portable", left={"a": "protected"})
    assert plan.left_float == {"b": "ConvTranspose has no integer kernel", "a": "protected"}
    assert not plan.points


def test_fixed_scales_are_taken_as_they_are(canonical, ranges, state, step):
    fixed = weight_qparams(state["conv2.weight"] * 2, step.weights, "portable")
    plan = make_plan(canonical, ranges, step, "portable", fixed={"conv2": fixed})
    assert next(point.tensor for point in plan.points if point.layer == "conv2" and point.port == "weight") == fixed


def test_fixed_scales_must_fit_the_weight(canonical, ranges, state, step):
    fixed = weight_qparams(state["fc.weight"], step.weights, "portable")
    with pytest.raises(PlanError, match="do not fit"):
        make_plan(canonical, ranges, step, "portable", fixed={"conv2": fixed})
    with pytest.raises(PlanError, match="not quantized"):
        make_plan(canonical, ranges, step, "portable", fixed={"fc": fixed}, left={"fc": "protected"})


def test_all_places_of_a_tensor_take_the_learned_scale_of_one(build, step):
    kernel = np.ones((2, 2, 1, 1), np.float32)
    nodes = [("Conv", ["x", "a.weight"], ["h"]), ("Conv", ["x", "b.weight"], ["g"]), ("Add", ["h", "g"], ["y"])]
    model = build(nodes, {"a.weight": kernel, "b.weight": kernel}, output=("N", 2, 6, 6))
    ranges, learned = {"h": (-1.0, 1.0), "g": (-1.0, 1.0)}, activation_qparams(-3.0, 5.0)
    plan = make_plan(model, ranges, step, "portable", learned={("b", "input", 0): learned})
    assert [point.tensor for point in plan.points if point.port == "input"] == [learned, learned]
    other = {("a", "input", 0): activation_qparams(0.0, 1.0), ("b", "input", 0): learned}
    with pytest.raises(PlanError, match="two scales"):
        make_plan(model, ranges, step, "portable", learned=other)


@pytest.mark.parametrize("key", [("conv2", "weight", 0), ("conv2", "input", 1), ("nothing", "input", 0)])
def test_a_learned_scale_needs_a_place(canonical, ranges, step, key):
    with pytest.raises(PlanError, match="no activation is quantized"):
        make_plan(canonical, ranges, step, "portable", learned={key: activation_qparams(0.0, 1.0)})


def test_layers_to_leave_must_be_there(canonical, ranges, step):
    with pytest.raises(PlanError, match="does not have") as caught:
        make_plan(canonical, ranges, step, "portable", left={"conv9": "protected"})
    assert caught.value.problems[0].value == "conv9"
    assert caught.value.problems[0].remedy == "did you mean `conv2`?"


def test_a_calibrated_mode_needs_activations_and_ranges(canonical, step):
    with pytest.raises(PlanError, match="nothing says how"):
        make_plan(canonical, {}, QuantizeStep(mode="static"), "portable")
    with pytest.raises(PlanError, match="not observed"):
        make_plan(canonical, {}, step, "portable")


def test_an_unknown_target_is_refused_in_every_mode_that_has_weights(canonical, ranges, step):
    for mode in ("static", "dynamic", "weight_only"):
        with pytest.raises(UnsupportedError, match="target"):
            make_plan(canonical, ranges, step.model_copy(update={"mode": mode}), "abacus")


def test_plans_survive_json(canonical, ranges, step):
    plan = make_plan(canonical, ranges, step, "portable", left={"fc": "protected"})
    assert QuantPlan.model_validate_json(plan.model_dump_json()) == plan
