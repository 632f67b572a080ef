"""The integer file: small, reproducible from its plan, and really computed in integers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from paredown.algorithms.observers.extremes import MinMax
from paredown.deploy.calibrate import calibrate
from paredown.deploy.canonical import canonicalize
from paredown.deploy.files import to_bytes
from paredown.deploy.points import make_plan
from paredown.deploy.writing.qdq import write_qdq
from paredown.errors import PlanError
from paredown.plan import QuantPlan


def fused(model, path):
    """How often each operator stands in the graph that the runtime made of a model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(to_bytes(model), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def unfused(model, images):
    """The outputs where the runtime optimizes nothing: float arithmetic between the QDQ nodes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(to_bytes(model), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images})[0]


def held(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def planned(model, images, step, target="portable"):
    return make_plan(model, calibrate(model, [images], lambda: MinMax(None)), step, target)


def test_the_runtime_computes_every_layer_in_integers(quantized, tmp_path):
    counts = fused(quantized[1], tmp_path / "fused.onnx")
    assert counts["QLinearConv"] == 2
    assert counts["QLinearAdd"] == counts["QLinearGlobalAveragePool"] == counts["QGemm"] == 1
    assert not counts["Conv"] + counts["Gemm"] + counts["Add"] + counts["Relu"] + counts["DequantizeLinear"]


def test_the_integer_network_stays_near_the_float_one(quantized, canonical, images, evaluate):
    expected = evaluate(canonical, images)
    assert np.abs(evaluate(quantized[1], images) - expected).max() < 0.05 * np.abs(expected).max()


def test_integer_kernels_compute_what_qdq_says(quantized, images, evaluate):
    expected = unfused(quantized[1], images)
    assert np.abs(evaluate(quantized[1], images) - expected).max() < 0.02 * np.abs(expected).max()


def test_the_model_is_valid(quantized):
    onnx.checker.check_model(quantized[1], full_check=True)


def test_the_plan_alone_reproduces_the_file(quantized, canonical):
    plan, model = quantized
    again = QuantPlan.model_validate_json(plan.model_dump_json())
    assert to_bytes(write_qdq(canonical, again)) == to_bytes(model)


def test_two_frameworks_get_one_plan_and_one_file(twins, images, step):
    torch_export, paddle_export, names = twins
    files, plans = [], []
    for model in (canonicalize(torch_export, {}), canonicalize(paddle_export, names)):
        plans.append(planned(model, images, step))
        files.append(to_bytes(write_qdq(model, plans[-1])))
    assert plans[0] == plans[1]
    assert files[0] == files[1]


def test_float_weights_are_gone(quantized, state):
    for name, values in held(quantized[1]).items():
        if name in state:
            assert values.dtype == (np.int32 if name.endswith("bias") else np.int8), name


def test_portable_weights_stay_in_the_reduced_range(quantized, canonical, images, step):
    weights = [values for name, values in held(quantized[1]).items() if name.endswith(".weight")]
    assert max(int(np.abs(values.astype(int)).max()) for values in weights) == 64
    full = held(write_qdq(canonical, planned(canonical, images, step, "vnni")))
    assert np.abs(full["conv1.weight"].astype(int)).max() == 127


def test_biases_have_the_scale_of_the_product(quantized, state):
    values = held(quantized[1])
    scale = values["conv1.bias_s"]
    np.testing.assert_array_equal(scale, values["s0"] * values["conv1.weight_s"])
    np.testing.assert_allclose(values["conv1.bias"] * scale, state["conv1.bias"], atol=scale.max() / 2)


def test_zero_points_stand_only_where_the_runtime_needs_them(quantized):
    assert {name for name in held(quantized[1]) if name.endswith("_z")} == {"fc.weight_z"}


def test_one_scale_for_a_whole_weight(canonical, images, step, tmp_path):
    step = step.model_copy(update={"weights": step.weights.model_copy(update={"granularity": "tensor"})})
    model = write_qdq(canonical, planned(canonical, images, step))
    assert held(model)["conv1.weight_s"].shape == ()
    assert fused(model, tmp_path / "fused.onnx")["QLinearConv"] == 2


def test_a_dead_channel_keeps_its_bias(twins, images, step, evaluate):
    export = onnx.ModelProto()
    export.CopyFrom(twins[0])
    for tensor in export.graph.initializer:
        if tensor.name == "conv2.weight":
            values = numpy_helper.to_array(tensor).copy()
            values[0], values[1] = 0.0, 1e-20
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    model = canonicalize(export, {})
    expected = evaluate(model, images)
    found = evaluate(write_qdq(model, planned(model, images, step)), images)
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def test_a_layer_that_is_called_twice_has_one_weight_and_two_biases(build, images, step, evaluate):
    kernel = np.eye(2, dtype=np.float32).reshape(2, 2, 1, 1)
    nodes = [
        ("Conv", ["x", "a.weight", "a.bias"], ["h"]),
        ("Relu", ["h"], ["r"]),
        ("Conv", ["r", "a.weight", "a.bias"], ["y"]),
    ]
    constants = {"a.weight": kernel, "a.bias": np.array([1.0, 5.0], np.float32)}
    model = canonicalize(build(nodes, constants, output=("N", 2, 6, 6)), {})
    integer = write_qdq(model, planned(model, images, step))
    assert {"a.weight", "a.bias", "a.bias_1"} < held(integer).keys()
    assert np.abs(evaluate(integer, images) - evaluate(model, images)).max() < 0.1


@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1]])
def test_max_pooling_hands_integers_on(build, images, step, tmp_path, pads):
    nodes = [
        ("Conv", ["x", "a.weight"], ["h"]),
        ("MaxPool", ["h"], ["p"], {"kernel_shape": [2, 2], "strides": [2, 2], "pads": pads}),
        ("Conv", ["p", "b.weight"], ["y"]),
    ]
    kernel = np.random.default_rng(0).normal(size=(2, 2, 1, 1)).astype(np.float32)
    size = 3 + pads[0]
    model = canonicalize(build(nodes, {"a.weight": kernel, "b.weight": kernel}, output=("N", 2, size, size)), {})
    integer = write_qdq(model, planned(model, images, step))
    counts = fused(integer, tmp_path / "fused.onnx")
    # The last layer's output is the network's and stays float.
    assert counts["QLinearConv"] == 1
    assert counts["MaxPool"] + counts["NhwcMaxPool"] == 1


def test_a_plan_without_a_point_is_refused(quantized, canonical):
    plan = quantized[0].model_copy(update={"points": quantized[0].points[1:]})
    with pytest.raises(PlanError, match="no point") as caught:
        write_qdq(canonical, plan)
    assert caught.value.problems[0].where == "conv1"


def test_a_plan_for_another_size_is_refused(quantized, twins):
    plan = quantized[0]
    points = tuple(
        point.model_copy(update={"tensor": point.tensor.model_copy(update={"scale": (1.0,) * 3})})
        if (point.layer, point.port) == ("conv1", "weight")
        else point
        for point in plan.points
    )
    with pytest.raises(PlanError, match="another size"):
        write_qdq(canonicalize(twins[0], {}), plan.model_copy(update={"points": points}))


def test_planning_names_what_was_not_observed(canonical, step):
    with pytest.raises(PlanError, match="not observed") as caught:
        make_plan(canonical, {"images": (0.0, 1.0)}, step, "portable")
    assert "t1" in str(caught.value)
