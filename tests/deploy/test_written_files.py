"""Every mode, width, symmetry and granularity: the written file computes in the runtime what the plan means."""

from __future__ import annotations

import functools

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from quantized_reference import network, run, simulate

from paredown.algorithms.observers.extremes import MinMax
from paredown.algorithms.quantizing import fake_quantize
from paredown.deploy.calibrate import calibrate
from paredown.deploy.points import make_plan
from paredown.deploy.writing import write_quantized
from paredown.deploy.writing.storage import INT2
from paredown.errors import PlanError
from paredown.spec.components import MinMaxObserver
from paredown.spec.models import QuantizeActivations, QuantizeStep, QuantizeWeights

IMAGES = np.random.default_rng(1).normal(0, 1.5, (6, 2, 6, 6)).astype(np.float32)
CALIBRATION = IMAGES[:4] * np.float32(0.8)
"""Narrower than the images, so that activations saturate."""

WIDTHS = [(8, True), (8, False), (4, True), (4, False), (2, True), (1, True)]
"""Bits and symmetry of weights."""
GRANULARITIES = [("channel", None), ("tensor", None), ("group", 4)]
"""Groups of 4 do not divide the 18 and 27 weights of a filter."""
NETWORKS = ["residual", "depthwise"]
EXACT = 2e-6
"""Float sums in another order, relative to the greatest output."""


@functools.cache
def ranges(kind):
    return calibrate(network(kind), [CALIBRATION], lambda: MinMax(None))


def planned(kind, mode, width, granularity, activations=(8, False), left=()):
    bits, symmetric = width
    options = None
    if mode in ("static", "qat"):
        options = QuantizeActivations(bits=activations[0], symmetric=activations[1], observer=MinMaxObserver())
    weights = QuantizeWeights(bits=bits, symmetric=symmetric, granularity=granularity[0], group_size=granularity[1])
    step = QuantizeStep(mode=mode, weights=weights, activations=options)
    seen = ranges(kind) if options else {}
    return make_plan(network(kind), seen, step, "portable", left=dict.fromkeys(left, "kept in float"))


def relative(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def differences(kind, plan):
    """How far the file is from the plan, and the runtime's integer kernels from the plan with integer biases."""
    model = network(kind)
    file = write_quantized(model, plan)
    plain, rounded = simulate(model, plan, IMAGES), simulate(model, plan, IMAGES, integer_biases=True)
    return relative(run(file, IMAGES, optimized=False), plain), relative(run(file, IMAGES), rounded)


@pytest.mark.parametrize("granularity", GRANULARITIES, ids=lambda one: one[0])
@pytest.mark.parametrize("width", WIDTHS, ids=str)
@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("mode", ["weight_only", "dynamic"])
def test_weights_compute_what_the_plan_means(kind, mode, width, granularity):
    assert max(differences(kind, planned(kind, mode, width, granularity))) < EXACT


@pytest.mark.parametrize("width", WIDTHS, ids=str)
@pytest.mark.parametrize(
    "activations", [(8, False), (8, True), (16, False), (16, True), (4, False), (4, True)], ids=str
)
class TestActivations:
    @pytest.mark.parametrize("granularity", GRANULARITIES, ids=lambda one: one[0])
    def test_compute_what_the_plan_says_for_every_granularity_of_weights(self, width, granularity, activations):
        self.check("residual", width, granularity, activations)

    def test_compute_what_the_plan_says_in_a_depthwise_network(self, width, activations):
        self.check("depthwise", width, ("channel", None), activations)

    @staticmethod
    def check(kind, width, granularity, activations):
        plain, optimized = differences(kind, planned(kind, "static", width, granularity, activations))
        assert plain < EXACT
        # The runtime may leave the last layer's bias in float; one step of 4 bits would be ten times as much.
        tolerance = 5e-3 if activations[0] == 4 else 1e-3
        assert optimized < (EXACT if granularity[0] == "group" else tolerance)


@pytest.mark.parametrize("layer", ["a", "b", "fc"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_layer_left_in_float_stays_float_in_the_runtime(kind, layer):
    # Groups are computed in float: nothing but a layer that the runtime quantized by itself could differ.
    plan = planned(kind, "static", (8, True), ("group", 4), left=(layer,))
    assert max(differences(kind, plan)) < EXACT
    file = write_quantized(network(kind), plan)
    stored = {tensor.name: tensor.data_type for tensor in file.graph.initializer}
    assert stored[f"{layer}.weight"] == stored[f"{layer}.bias"] == TensorProto.FLOAT


@pytest.mark.parametrize("mode", ["weight_only", "dynamic"])
def test_a_layer_left_in_float_is_copied(mode):
    plan = planned("residual", mode, (8, True), ("channel", None), left=("b",))
    assert max(differences("residual", plan)) < EXACT
    file = write_quantized(network("residual"), plan)
    (node,) = [one for one in file.graph.node if "b.weight" in one.input]
    assert list(node.input)[1:] == ["b.weight", "b.bias"]


@pytest.mark.parametrize(("bits", "symmetric"), [(4, True), (4, False), (8, True), (8, False), (16, True)])
def test_activations_take_the_plan_s_levels_and_no_more(bits, symmetric):
    plan = planned("residual", "static", (4, True), ("channel", None), (bits, symmetric))
    file = write_quantized(network("residual"), plan)
    file.graph.output.append(helper.make_tensor_value_info("images_d", TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(file.SerializeToString(), providers=["CPUExecutionProvider"])
    tensor = plan.points[0].tensor
    values = np.linspace(-40, 40, 72 * 8000, dtype=np.float32).reshape(-1, 2, 6, 6)
    found = session.run(["images_d"], {"images": values})[0]
    np.testing.assert_array_equal(found, fake_quantize(values, tensor))
    if bits < 16:
        assert len(np.unique(found)) == tensor.qmax - tensor.qmin + 1


@pytest.mark.parametrize("mode", ["static", "weight_only", "dynamic"])
def test_ternary_weights_packed_in_bytes_compute_the_same_as_2_bit_integers(mode):
    plan = planned("depthwise", mode, (2, True), ("channel", None))
    files = [write_quantized(network("depthwise"), plan, ternary=how) for how in ("int2", "packed")]
    np.testing.assert_array_equal(*(run(file, IMAGES) for file in files))
    kinds = [{tensor.data_type for tensor in file.graph.initializer} for file in files]
    assert INT2 in kinds[0]
    assert INT2 not in kinds[1]
    assert [file.opset_import[0].version for file in files] == [25, 21]


@pytest.mark.parametrize("bits", [8, 4, 2, 1])
def test_biases_of_channels_with_tiny_weights_survive(bits):
    from paredown.deploy.canonical.graph import array_of, constants, with_arrays

    model = network("residual")
    weight = array_of(constants(model.graph)["b.weight"]).copy()
    weight[0], weight[1] = 1e-13, 0.0
    model = with_arrays(model, {"b.weight": weight})
    options = QuantizeActivations(observer=MinMaxObserver())
    step = QuantizeStep(weights=QuantizeWeights(bits=bits), activations=options)
    plan = make_plan(model, calibrate(model, [CALIBRATION], lambda: MinMax(None)), step, "portable")
    assert relative(run(write_quantized(model, plan), IMAGES), simulate(model, plan, IMAGES)) < 0.02


@pytest.mark.parametrize("bits", [8, 4])
def test_biases_survive_learned_scales_that_are_too_small_for_them(bits):
    model = network("residual")
    plan = planned("residual", "static", (bits, True), ("channel", None))
    tensors = {point.layer: point.tensor for point in plan.points if point.port == "weight"}
    tiny = tensors["b"].model_copy(update={"scale": (3e-14, *tensors["b"].scale[1:])})
    options = QuantizeActivations(observer=MinMaxObserver())
    step = QuantizeStep(mode="qat", weights=QuantizeWeights(bits=bits), activations=options)
    plan = make_plan(model, ranges("residual"), step, "portable", fixed={"b": tiny})
    assert relative(run(write_quantized(model, plan), IMAGES), simulate(model, plan, IMAGES)) < 0.02


def test_one_plan_gives_one_file():
    from paredown.deploy.files import to_bytes

    for mode, width in (("static", (4, True)), ("dynamic", (2, True)), ("weight_only", (1, True))):
        plan = planned("residual", mode, width, ("channel", None))
        again = type(plan).model_validate_json(plan.model_dump_json())
        files = [to_bytes(write_quantized(network("residual"), one)) for one in (plan, again)]
        assert files[0] == files[1]


def test_a_plan_with_fixed_ranges_is_not_dynamic():
    plan = planned("residual", "static", (8, True), ("channel", None)).model_copy(update={"mode": "dynamic"})
    with pytest.raises(PlanError, match="at run time"):
        write_quantized(network("residual"), plan)
