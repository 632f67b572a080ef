"""Each rewrite of the canonical form, on a graph that would stay different without it."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

from paredown.deploy.canonical import canonicalize
from paredown.deploy.canonical.activations import SIXTH, settle_activations
from paredown.deploy.canonical.attributes import drop_default_attributes
from paredown.deploy.canonical.casts import name_cast_types
from paredown.deploy.canonical.concat import flatten_concats, settle_axes
from paredown.deploy.canonical.flatten import settle_flatten
from paredown.deploy.canonical.gemm import settle_gemm
from paredown.deploy.canonical.graph import attributes
from paredown.deploy.canonical.identities import drop_identities, drop_pixel_pooling
from paredown.deploy.canonical.initializers import lift_constants, name_initializers, prune_initializers
from paredown.deploy.canonical.layers import settle_layers
from paredown.deploy.canonical.opset import convert_opset
from paredown.deploy.canonical.order import settle_order
from paredown.deploy.canonical.pooling import settle_global_pooling
from paredown.deploy.canonical.scalars import settle_scalars
from paredown.deploy.canonical.shapes import settle_shapes
from paredown.deploy.canonical.slim import slim
from paredown.deploy.canonical.targets import settle_targets
from paredown.deploy.canonical.wrap import wrap
from paredown.errors import DeployError, UnsupportedError

IMAGE = ("N", 2, 6, 6)
KERNEL = np.ones((2, 2, 1, 1), np.float32)


def operators(model):
    return [node.op_type for node in model.graph.node]


def held(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_slim_folds_what_is_constant_and_keeps_the_argument(build):
    nodes = [("Add", ["a", "b"], ["c"]), ("Mul", ["x", "c"], ["y"])]
    model = build(nodes, {"a": np.float32(1), "b": np.float32(2)}, output=IMAGE)
    assert operators(slim(model)) == ["Mul"]
    assert operators(model) == ["Add", "Mul"]


def test_an_older_opset_becomes_21(build):
    model = build([("Relu", ["x"], ["y"])], output=IMAGE, opset=13)
    assert convert_opset(model).opset_import[0].version == 21


def test_constant_nodes_become_initializers(build):
    value = numpy_helper.from_array(np.float32(2))
    model = build([("Constant", [], ["c"], {"value": value}), ("Mul", ["x", "c"], ["y"])], output=IMAGE)
    lift_constants(model)
    assert operators(model) == ["Mul"]
    assert held(model)["c"] == 2


def test_initializers_get_neutral_names_even_where_names_change_places(build):
    model = build([("Add", ["x", "a"], ["h"]), ("Mul", ["h", "b"], ["y"])], {"a": np.float32(1), "b": np.float32(2)})
    name_initializers(model, {"a": "b", "b": "a"})
    assert [list(node.input) for node in model.graph.node] == [["x", "b"], ["h", "a"]]
    assert held(model) == {"b": 1, "a": 2}


def test_two_initializers_cannot_have_one_neutral_name(build):
    model = build([("Add", ["x", "a"], ["h"]), ("Mul", ["h", "b"], ["y"])], {"a": np.float32(1), "b": np.float32(2)})
    with pytest.raises(DeployError, match="claim one neutral name"):
        name_initializers(model, {"a": "b"})


def test_initializers_that_nobody_reads_are_dropped(build):
    model = build([("Relu", ["x"], ["y"])], {"unread": np.float32(1)}, output=IMAGE)
    prune_initializers(model)
    assert not held(model)


@pytest.mark.parametrize("position", ["front", "middle", "end"])
def test_identities_are_dropped(build, position):
    nodes = {
        "front": [("Identity", ["x"], ["h"]), ("Relu", ["h"], ["r"]), ("Abs", ["r"], ["y"])],
        "middle": [("Relu", ["x"], ["h"]), ("Dropout", ["h"], ["r"]), ("Abs", ["r"], ["y"])],
        "end": [("Relu", ["x"], ["h"]), ("Abs", ["h"], ["r"]), ("Identity", ["r"], ["y"])],
    }
    model = build(nodes[position], output=IMAGE)
    drop_identities(model)
    assert model.graph.node[0].input[0] == "x"
    assert operators(model) == ["Relu", "Abs"]
    assert model.graph.node[1].output[0] == "y"


@pytest.mark.parametrize("operator", ["AveragePool", "MaxPool"])
def test_pooling_by_single_pixels_is_dropped(build, operator):
    nodes = [("Relu", ["x"], ["h"]), (operator, ["h"], ["p"], {"kernel_shape": [1, 1]}), ("Abs", ["p"], ["y"])]
    model = build(nodes, output=IMAGE)
    drop_pixel_pooling(model)
    assert operators(model) == ["Relu", "Abs"]
    assert list(model.graph.node[1].input) == ["h"]


def test_pooling_that_strides_over_pixels_stays(build):
    options = {"kernel_shape": [1, 1], "strides": [2, 2]}
    model = build([("Relu", ["x"], ["h"]), ("MaxPool", ["h"], ["y"], options)], output=("N", 2, 3, 3))
    drop_pixel_pooling(model)
    assert operators(model) == ["Relu", "MaxPool"]


def test_hard_sigmoid_gets_the_slope_that_the_frameworks_compute_with(build):
    model = build([("HardSigmoid", ["x"], ["y"], {"alpha": 0.1666667014360428, "beta": 0.5})], output=IMAGE)
    settle_activations(model)
    assert attributes(model.graph.node[0])["alpha"] == SIXTH == float(np.float32(1 / 6))


def test_another_slope_is_left_alone(build):
    model = build([("HardSigmoid", ["x"], ["y"], {"alpha": 0.2})], output=IMAGE)
    settle_activations(model)
    assert attributes(model.graph.node[0])["alpha"] == pytest.approx(0.2)


def test_x_times_its_hard_sigmoid_is_hard_swish(build):
    nodes = [("HardSigmoid", ["x"], ["h"], {"alpha": SIXTH, "beta": 0.5}), ("Mul", ["h", "x"], ["y"])]
    model = build(nodes, output=IMAGE)
    settle_activations(model)
    assert operators(model) == ["HardSwish"]


def test_a_gate_of_another_tensor_is_no_hard_swish(build):
    nodes = [("Relu", ["x"], ["r"]), ("HardSigmoid", ["r"], ["h"], {"alpha": SIXTH}), ("Mul", ["h", "x"], ["y"])]
    model = build(nodes, output=IMAGE)
    settle_activations(model)
    assert operators(model) == ["Relu", "HardSigmoid", "Mul"]


def test_clip_from_zero_without_an_upper_bound_is_relu(build):
    model = build([("Clip", ["x", "low"], ["y"])], {"low": np.float32(0)}, output=IMAGE)
    settle_activations(model)
    assert operators(model) == ["Relu"]
    assert list(model.graph.node[0].input) == ["x"]


def test_clip_with_an_upper_bound_stays(build):
    model = build([("Clip", ["x", "low", "high"], ["y"])], {"low": np.float32(0), "high": np.float32(6)}, output=IMAGE)
    settle_activations(model)
    assert operators(model) == ["Clip"]


@pytest.mark.parametrize("axes", [[2, 3], [-1, -2], [3, 2]])
def test_a_mean_over_the_image_is_global_average_pooling(build, axes):
    model = build([("ReduceMean", ["x", "axes"], ["y"])], {"axes": np.array(axes)}, output=("N", 2, 1, 1))
    settle_global_pooling(model)
    assert operators(model) == ["GlobalAveragePool"]


def test_a_mean_that_drops_the_axes_is_pooling_and_flatten(build):
    model = build([("ReduceMean", ["x", "axes"], ["y"], {"keepdims": 0})], {"axes": np.array([2, 3])}, output=("N", 2))
    settle_global_pooling(model)
    assert operators(model) == ["GlobalAveragePool", "Flatten"]


def test_a_window_as_large_as_the_image_is_global_average_pooling(build):
    model = build([("AveragePool", ["x"], ["y"], {"kernel_shape": [6, 6]})], output=("N", 2, 1, 1))
    settle_global_pooling(model)
    assert operators(model) == ["GlobalAveragePool"]


def test_a_mean_over_other_axes_stays(build):
    model = build([("ReduceMean", ["x", "axes"], ["y"])], {"axes": np.array([1, 2])}, output=("N", 1, 1, 6))
    settle_global_pooling(model)
    assert operators(model) == ["ReduceMean"]


@pytest.mark.parametrize("target", [[0, -1], [-1, 72], [0, 72]])
def test_a_reshape_to_rows_is_flatten(build, target):
    model = build([("Reshape", ["x", "s"], ["y"])], {"s": np.array(target)}, output=("N", 72))
    settle_flatten(model)
    assert operators(model) == ["Flatten"]


def test_a_squeeze_after_pooling_is_flatten(build):
    nodes = [("GlobalAveragePool", ["x"], ["p"]), ("Squeeze", ["p", "axes"], ["y"])]
    model = build(nodes, {"axes": np.array([2, 3])}, output=("N", 2))
    settle_flatten(model)
    assert operators(model) == ["GlobalAveragePool", "Flatten"]


def test_a_reshape_that_mixes_images_stays(build):
    model = build([("Reshape", ["x", "s"], ["y"])], {"s": np.array([-1, 36])}, output=("M", 36))
    settle_flatten(model)
    assert operators(model) == ["Reshape"]


@pytest.mark.parametrize(("target", "options"), [([-1, 1, 2, 6, 6], {"allowzero": 1}), ([0, 1, 2, 6, -1], {})])
def test_a_reshape_keeps_the_batch_and_names_the_other_lengths(build, target, options):
    model = build([("Reshape", ["x", "s"], ["y"], options)], {"s": np.array(target)}, output=("N", 1, 2, 6, 6))
    settle_shapes(model)
    node = model.graph.node[0]
    assert not node.attribute
    np.testing.assert_array_equal(held(model)[node.input[1]], [-1, 1, 2, 6, 6])


def test_concatenations_of_concatenations_are_one(build):
    along = {"axis": 1}
    nodes = [("Relu", ["x"], ["a"]), ("Concat", ["x", "a"], ["b"], along), ("Concat", ["b", "a"], ["y"], along)]
    model = build(nodes, output=("N", 6, 6, 6))
    flatten_concats(model)
    assert [list(node.input) for node in model.graph.node if node.op_type == "Concat"] == [["x", "a", "a"]]


def test_a_concatenation_along_another_axis_stays(build):
    nodes = [("Concat", ["x", "x"], ["b"], {"axis": 2}), ("Concat", ["b", "b"], ["y"], {"axis": 1})]
    model = build(nodes, output=("N", 4, 12, 6))
    flatten_concats(model)
    assert operators(model) == ["Concat", "Concat"]


def test_a_split_into_equal_parts_counts_them(build):
    nodes = [("Split", ["x", "sizes"], ["a", "b"], {"axis": 1}), ("Add", ["a", "b"], ["y"])]
    model = build(nodes, {"sizes": np.array([1, 1])}, output=("N", 1, 6, 6))
    settle_shapes(model)
    assert attributes(model.graph.node[0]) == {"axis": 1, "num_outputs": 2}
    assert list(model.graph.node[0].input) == ["x"]


def test_a_split_into_unequal_parts_keeps_their_lengths(build):
    nodes = [("Split", ["x", "sizes"], ["a", "b"], {"axis": 2}), ("Abs", ["a"], ["y"])]
    model = build(nodes, {"sizes": np.array([2, 4])}, output=("N", 2, 2, 6))
    settle_shapes(model)
    assert list(model.graph.node[0].input) == ["x", "sizes"]


@pytest.mark.parametrize("bias_first", [False, True])
def test_matmul_and_add_are_gemm_with_the_weight_as_out_in(build, bias_first):
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    operands = ["b", "m"] if bias_first else ["m", "b"]
    nodes = [("MatMul", ["x", "fc.weight"], ["m"]), ("Add", operands, ["y"])]
    model = build(nodes, {"fc.weight": weight, "b": np.ones(3, np.float32)}, shape=("N", 2))
    settle_gemm(model)
    assert operators(model) == ["Gemm"]
    assert list(model.graph.node[0].input) == ["x", "fc.weight", "b"]
    assert attributes(model.graph.node[0]) == {"transB": 1}
    np.testing.assert_array_equal(held(model)["fc.weight"], weight.T)


def test_a_shared_weight_is_turned_once(build):
    weight = np.arange(4, dtype=np.float32).reshape(2, 2)
    nodes = [("MatMul", ["x", "w"], ["h"]), ("Relu", ["h"], ["r"]), ("MatMul", ["r", "w"], ["y"])]
    model = build(nodes, {"w": weight}, shape=("N", 2), output=("N", 2))
    settle_gemm(model)
    assert [attributes(node).get("transB") for node in model.graph.node] == [1, None, 1]
    np.testing.assert_array_equal(held(model)["w"], weight.T)


def test_a_matmul_of_two_computed_matrices_stays(build):
    model = build([("MatMul", ["x", "x"], ["y"])], shape=(2, 2), output=(2, 2))
    settle_gemm(model)
    assert operators(model) == ["MatMul"]


def test_a_bias_is_named_after_its_weight_and_a_zero_bias_is_dropped(build):
    nodes = [("Conv", ["x", "a.weight", "Add.1_bias"], ["h"]), ("Conv", ["h", "b.weight", "zero"], ["y"])]
    constants = {"a.weight": KERNEL, "b.weight": KERNEL, "Add.1_bias": np.ones(2, np.float32)}
    model = build(nodes, {**constants, "zero": np.zeros(2, np.float32)}, output=IMAGE)
    settle_layers(model)
    assert [list(node.input) for node in model.graph.node] == [["x", "a.weight", "a.bias"], ["h", "b.weight"]]


def test_layers_that_share_a_merged_bias_get_one_each(build):
    nodes = [("Conv", ["x", "a.weight", "bias"], ["h"]), ("Conv", ["h", "b.weight", "bias"], ["y"])]
    model = build(nodes, {"a.weight": KERNEL, "b.weight": KERNEL, "bias": np.ones(2, np.float32)}, output=IMAGE)
    settle_layers(model)
    assert [node.input[2] for node in model.graph.node] == ["a.bias", "b.bias"]


def test_attributes_that_hold_their_default_are_dropped(build):
    options = {"kernel_shape": [1, 1], "pads": [0] * 4, "strides": [1, 1], "dilations": [1, 1], "group": 1}
    model = build([("Conv", ["x", "w"], ["y"], options)], {"w": KERNEL}, output=IMAGE)
    drop_default_attributes(model)
    assert not model.graph.node[0].attribute


def test_attributes_that_say_something_are_kept_and_sorted(build):
    options = {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": 2}
    model = build([("Conv", ["x", "w"], ["y"], options)], {"w": KERNEL[:, :1]}, output=("N", 2, 4, 4))
    drop_default_attributes(model)
    assert [attribute.name for attribute in model.graph.node[0].attribute] == ["group", "pads", "strides"]


@pytest.mark.parametrize(("pads", "kept"), [([0] * 4, []), ([1] * 4, ["count_include_pad", "kernel_shape", "pads"])])
def test_whether_padding_counts_is_said_only_where_there_is_padding(build, pads, kept):
    options = {"kernel_shape": [2, 2], "pads": pads, "count_include_pad": 1}
    side = 5 + 2 * pads[0]
    model = build([("AveragePool", ["x"], ["y"], options)], output=("N", 2, side, side))
    drop_default_attributes(model)
    assert [attribute.name for attribute in model.graph.node[0].attribute] == (kept or ["kernel_shape"])


def test_order_and_names_come_from_the_structure_alone(build):
    constants = {"a.weight": KERNEL, "b.weight": 2 * KERNEL, "six": np.float32(6), "low": np.float32(0)}
    left = [("Conv", ["x", "a.weight"], ["h"]), ("Clip", ["h", "low", "six"], ["c"])]
    right = [("Conv", ["x", "b.weight"], ["g"])]
    one = build([*left, *right, ("Add", ["g", "c"], ["y"])], constants, output=IMAGE)
    swapped = dict(reversed(constants.items()))
    other = build([*right, *left, ("Add", ["c", "g"], ["y"])], swapped, output=IMAGE)
    settle_order(one)
    settle_order(other)
    assert wrap(one) == wrap(other)
    assert [list(node.output) for node in one.graph.node] == [["t0"], ["t1"], ["t2"], ["outputs"]]
    assert list(one.graph.node[1].input) == ["t0", "c0", "c1"]


def test_several_inputs_are_refused(build):
    model = build([("Relu", ["x"], ["y"])], output=IMAGE)
    model.graph.input.add().CopyFrom(model.graph.input[0])
    model.graph.input[1].name = "mask"
    with pytest.raises(UnsupportedError, match="several inputs"):
        settle_order(model)


def test_wrapping_strips_what_an_exporter_left(build):
    model = build([("Relu", ["x"], ["y"])], output=IMAGE)
    model.graph.node[0].doc_string = "traced at line 7"
    model.graph.node[0].name = "relu_1"
    model.metadata_props.add(key="exporter", value="somebody")
    assert wrap(model) == wrap(build([("Relu", ["x"], ["y"])], output=IMAGE))


def test_parameters_that_no_layer_holds_keep_their_names_where_these_are_known(build):
    half = np.full((2, 1, 1), 0.5, np.float32)
    nodes = [("Mul", ["x", "one.scale"], ["0"]), ("Mul", ["0", "two.scale"], ["1"]), ("Mul", ["1", "half"], ["y"])]
    model = build(nodes, {"one.scale": half, "two.scale": half, "half": half}, output=IMAGE)
    assert set(held(canonicalize(model, {}))) == {"c0"}
    assert set(held(canonicalize(model, {}, ["one.scale", "two.scale"]))) == {"one.scale", "two.scale", "c0"}


def test_a_missing_bias_that_is_written_as_a_cast_and_an_expansion_is_folded_away(build):
    nodes = [
        ("CastLike", ["zero", "x"], ["cast"]),
        ("Expand", ["cast", "two"], ["bias"]),
        ("Conv", ["x", "c.weight", "bias"], ["y"]),
    ]
    model = build(nodes, {"zero": np.float32(0), "two": np.array([2]), "c.weight": KERNEL}, output=IMAGE)
    named = name_cast_types(model)
    assert operators(named) == ["Cast", "Expand", "Conv"]
    assert operators(model)[0] == "CastLike"
    assert operators(slim(named)) == ["Conv"]


def test_a_number_that_scales_a_tensor_is_a_scalar(build):
    nodes = [("Mul", ["x", "by"], ["scaled"]), ("Add", ["scaled", "wider"], ["y"])]
    constants = {"by": np.ones((1, 1), np.float32), "wider": np.ones((1,) * 5, np.float32)}
    model = build(nodes, constants, output=(1, "N", 2, 6, 6))
    settle_scalars(model)
    # One with more axes than the tensor gives the result an axis: it is no mere number.
    assert {name: values.shape for name, values in held(model).items()} == {"by": (), "wider": (1,) * 5}


def test_the_axis_of_a_concatenation_is_counted_from_the_first(build):
    model = build([("Concat", ["x", "x"], ["y"], {"axis": -3})], output=("N", 4, 6, 6))
    settle_axes(model)
    assert attributes(model.graph.node[0])["axis"] == 1


@pytest.mark.parametrize(("order", "target"), [("start rest", [-1, 2, 36]), ("rest start", None)])
def test_a_target_that_is_put_together_from_a_shape_becomes_constant_unless_it_moves_the_batch(build, order, target):
    nodes = [
        ("Shape", ["x"], ["shape"]),
        ("Slice", ["shape", "zero", "two", "zero"], ["start"]),
        ("Concat", order.split(), ["target"], {"axis": 0}),
        ("Reshape", ["x", "target"], ["y"]),
    ]
    numbers = {name: np.array([value]) for name, value in {"zero": 0, "two": 2, "rest": -1}.items()}
    model = build(nodes, numbers, output=("A", "B", "C"))
    settle_targets(model)
    name = model.graph.node[-1].input[1]
    assert (held(model)[name].tolist() if target else name) == (target or "target")
