"""Coupled channels, found on small graphs that each hold one way in which channels depend on one another."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.groups import after_cuts
from paredown.contracts import Fold
from paredown.deploy.coupling import find_groups
from paredown.errors import ModelError
from paredown.plan import Cut

OUTPUT = "its outputs are the network's"


def arrays(**shapes):
    """Weights by layer; every layer has a bias of its own, as long as the weight's first axis."""
    rng = np.random.default_rng(0)
    state = {}
    for layer, shape in shapes.items():
        state[f"{layer}.weight"] = rng.normal(size=shape).astype(np.float32)
        state[f"{layer}.bias"] = rng.normal(size=shape[0]).astype(np.float32)
    return state


def conv(x, layer, y, **options):
    return ("Conv", [x, f"{layer}.weight", f"{layer}.bias"], [y], options)


def head(x, layer="fc"):
    """Pooling, flattening and the last layer."""
    return [
        ("GlobalAveragePool", [x], ["pooled"]),
        ("Flatten", ["pooled"], ["flat"]),
        ("Gemm", ["flat", f"{layer}.weight", f"{layer}.bias"], ["y"], {"transB": 1}),
    ]


@pytest.fixture
def find(build):
    def run(nodes, state, constants=None, folds=()):
        used = {name for _, inputs, *_ in nodes for name in inputs}
        graph = {name: values for name, values in (state | (constants or {})).items() if name in used}
        return find_groups(build(nodes, graph), state, folds)

    return run


def axes(group):
    return {(member.parameter, member.axis): member.role for member in group.members}


def only(found, name):
    return next(group for group in found.groups if group.name == name)


def channels(group, parameter, axis=0):
    return next(m.channels for m in group.members if (m.parameter, m.axis) == (parameter, axis))


def test_a_chain_couples_each_layers_outputs_with_the_next_layers_inputs(find):
    state = arrays(a=(4, 2, 1, 1), b=(6, 4, 1, 1), fc=(3, 6))
    found = find([conv("x", "a", "0"), ("Relu", ["0"], ["1"]), conv("1", "b", "2"), *head("2")], state)
    assert [(group.name, group.size, group.blocks) for group in found.groups] == [
        ("a.weight", 4, 1),
        ("b.weight", 6, 1),
    ]
    assert axes(found.groups[0]) == {("a.weight", 0): "output", ("a.bias", 0): "bias", ("b.weight", 1): "input"}
    assert all(member.channels is None for member in found.groups[0].members)
    assert found.left_whole == {"fc": OUTPUT}


def test_a_residual_addition_makes_one_group_of_both_branches(find):
    state = arrays(a=(4, 2, 1, 1), b=(4, 4, 1, 1), fc=(3, 4))
    nodes = [conv("x", "a", "0"), conv("0", "b", "1"), ("Add", ["0", "1"], ["2"]), *head("2")]
    (group,) = find(nodes, state).groups
    assert {("a.weight", 0), ("b.weight", 0), ("b.weight", 1), ("fc.weight", 1)} <= axes(group).keys()


def test_folded_batch_norm_joins_with_its_statistics_as_buffers(find):
    state = arrays(a=(4, 2, 1, 1), fc=(3, 4))
    state |= {f"bn.{name}": np.ones(4, np.float32) for name in ("weight", "bias", "running_mean", "running_var")}
    (group,) = find([conv("x", "a", "0"), *head("0")], state, folds=[Fold("a", "bn")]).groups
    assert {name.removeprefix("bn."): role for (name, _), role in axes(group).items() if name.startswith("bn.")} == {
        "weight": "scale",
        "bias": "shift",
        "running_mean": "buffer",
        "running_var": "buffer",
    }


def test_a_bias_that_folding_made_is_no_member(find):
    state = arrays(a=(4, 2, 1, 1), fc=(3, 4))
    made = {"a.bias": state.pop("a.bias")}
    (group,) = find([conv("x", "a", "0"), *head("0")], state, constants=made).groups
    assert ("a.bias", 0) not in axes(group)


def test_a_bias_that_the_canonical_form_dropped_as_zero_is_a_member(find):
    state = arrays(a=(4, 2, 1, 1), fc=(3, 4))
    (group,) = find([("Conv", ["x", "a.weight"], ["0"]), *head("0")], state).groups
    assert axes(group)["a.bias", 0] == "bias"


def test_a_depthwise_convolution_passes_channels_on(find):
    state = arrays(a=(4, 2, 1, 1), dw=(4, 1, 3, 3), fc=(3, 4))
    (group,) = find([conv("x", "a", "0"), conv("0", "dw", "1", group=4), *head("1")], state).groups
    assert axes(group)["dw.weight", 0] == "output"
    assert ("dw.weight", 1) not in axes(group)


def test_a_depthwise_convolution_of_the_image_is_left_whole(find):
    state = arrays(dw=(2, 1, 3, 3), a=(4, 2, 1, 1), fc=(3, 4))
    found = find([conv("x", "dw", "0", group=2), conv("0", "a", "1"), *head("1")], state)
    assert found.left_whole == {"dw": "its channels are the image's", "fc": OUTPUT}


def test_several_outputs_of_each_input_channel_are_left_whole(find):
    state = arrays(a=(4, 2, 1, 1), dw=(8, 1, 3, 3), fc=(3, 8))
    found = find([conv("x", "a", "0"), conv("0", "dw", "1", group=4), *head("1")], state)
    assert found.groups == ()
    assert found.left_whole["dw"] == "it makes several outputs of each input channel"


def test_a_convolution_in_blocks_loses_the_same_inputs_and_equally_many_outputs_of_each_block(find):
    state = arrays(a=(6, 2, 1, 1), g=(4, 3, 1, 1), fc=(3, 4))
    found = find([conv("x", "a", "0"), conv("0", "g", "1", group=2), *head("1")], state)
    before, after = found.groups
    assert (before.name, before.size, before.blocks) == ("a.weight", 3, 1)
    assert channels(before, "a.weight") == (0, 1, 2, 0, 1, 2)
    assert channels(before, "g.weight", 1) is None
    assert (after.name, after.size, after.blocks) == ("g.weight", 4, 2)


def test_a_concatenation_gives_each_part_its_share_of_the_axis(find):
    state = arrays(a=(2, 2, 1, 1), b=(3, 2, 1, 1), c=(4, 5, 1, 1), fc=(3, 4))
    nodes = [conv("x", "a", "0"), conv("x", "b", "1"), ("Concat", ["0", "1"], ["2"], {"axis": 1})]
    found = find([*nodes, conv("2", "c", "3"), *head("3")], state)
    assert channels(only(found, "a.weight"), "c.weight", 1) == (0, 1, -1, -1, -1)
    assert channels(only(found, "b.weight"), "c.weight", 1) == (-1, -1, 0, 1, 2)


def test_batch_norm_behind_a_concatenation_is_shared_out(find):
    state = arrays(a=(2, 2, 1, 1), b=(3, 2, 1, 1), fc=(3, 5))
    names = [f"bn.{name}" for name in ("weight", "bias", "running_mean", "running_var")]
    state |= {name: np.arange(1, 6, dtype=np.float32) for name in names}
    nodes = [conv("x", "a", "0"), conv("x", "b", "1"), ("Concat", ["0", "1"], ["2"], {"axis": 1})]
    found = find([*nodes, ("BatchNormalization", ["2", *names], ["3"]), *head("3")], state)
    group = only(found, "b.weight")
    assert [channels(group, name) for name in names] == [(-1, -1, 0, 1, 2)] * 4
    assert axes(group)["bn.weight", 0] == "scale"
    assert axes(group)["bn.running_var", 0] == "buffer"


def test_an_addition_to_a_concatenation_joins_the_parts_in_one_group(find):
    state = arrays(a=(2, 2, 1, 1), b=(3, 2, 1, 1), c=(5, 2, 1, 1), fc=(3, 5))
    nodes = [conv("x", "a", "0"), conv("x", "b", "1"), ("Concat", ["0", "1"], ["2"], {"axis": 1}), conv("x", "c", "3")]
    (group,) = find([*nodes, ("Add", ["2", "3"], ["4"]), *head("4")], state).groups
    assert group.size == 5
    assert channels(group, "a.weight") == (0, 1)
    assert channels(group, "b.weight") == (2, 3, 4)
    assert channels(group, "c.weight") is None


def test_a_split_in_halves_asks_for_equal_counts(find):
    state = arrays(a=(4, 2, 1, 1), fc=(3, 2))
    split = ("Split", ["0"], ["1", "2"], {"axis": 1, "num_outputs": 2})
    (group,) = find([conv("x", "a", "0"), split, ("Mul", ["1", "2"], ["3"]), *head("3")], state).groups
    # Channels that meet in the product go together: one of each half.
    assert (group.size, group.blocks) == (2, 1)
    assert channels(group, "a.weight") == (0, 1, 0, 1)


def test_the_halves_of_a_split_are_blocks_where_they_go_different_ways(find):
    state = arrays(a=(4, 2, 1, 1), b=(2, 2, 1, 1), c=(2, 2, 1, 1), fc=(3, 2))
    split = ("Split", ["0"], ["1", "2"], {"axis": 1, "num_outputs": 2})
    nodes = [conv("x", "a", "0"), split, conv("1", "b", "3"), conv("2", "c", "4"), ("Add", ["3", "4"], ["5"])]
    group = only(find([*nodes, *head("5")], state), "a.weight")
    assert (group.size, group.blocks) == (4, 2)
    assert channels(group, "b.weight", 1) == (0, 1)
    assert channels(group, "c.weight", 1) == (2, 3)


def test_the_layers_behind_the_pieces_of_a_split_are_one_group_with_a_block_for_each(find):
    state = arrays(b=(2, 2, 1, 1), a=(2, 2, 1, 1), c=(2, 2, 1, 1), d=(2, 2, 1, 1), fc=(3, 2))
    nodes = [conv("x", "a", "0"), conv("x", "b", "1"), ("Concat", ["0", "1"], ["2"], {"axis": 1})]
    nodes += [("Split", ["2"], ["3", "4"], {"axis": 1, "num_outputs": 2}), conv("3", "c", "5"), conv("4", "d", "6")]
    group = only(find([*nodes, ("Add", ["5", "6"], ["7"]), *head("7")], state), "b.weight")
    assert (group.size, group.blocks) == (4, 2)
    # Block 0 is the first piece of the split, whatever the order of the layers.
    assert channels(group, "a.weight") == (0, 1)


def test_unequal_pieces_and_slices_of_channels_are_fixed_in_the_code(find):
    state = arrays(a=(4, 2, 1, 1), b=(2, 3, 1, 1), fc=(3, 2))
    split = ("Split", ["0", "parts"], ["1", "rest"], {"axis": 1})
    found = find([conv("x", "a", "0"), split, conv("1", "b", "2"), *head("2")], state, {"parts": np.array([3, 1])})
    assert "a" in found.left_whole
    sliced = ("Slice", ["0", "from", "to", "axes"], ["1"])
    bounds = {"from": np.array([0]), "to": np.array([3]), "axes": np.array([1])}
    assert find([conv("x", "a", "0"), sliced, conv("1", "b", "2"), *head("2")], state, bounds).left_whole["a"] == (
        "its channels are taken apart at places that the network's code fixes"
    )


def shuffle(x, y, wide, back):
    return [
        ("Reshape", [x, wide], [f"{y}w"]),
        ("Transpose", [f"{y}w"], [f"{y}t"], {"perm": [0, 2, 1, 3, 4]}),
        ("Reshape", [f"{y}t", back], [y]),
    ]


def test_a_channel_shuffle_keeps_its_rows_equal(find):
    state = arrays(a=(6, 2, 1, 1), b=(3, 6, 1, 1), fc=(3, 3))
    sizes = {"wide": np.array([-1, 2, 3, 6, 6]), "back": np.array([-1, 6, 6, 6])}
    found = find(
        [conv("x", "a", "0"), *shuffle("0", "1", "wide", "back"), conv("1", "b", "2"), *head("2")], state, sizes
    )
    group = only(found, "a.weight")
    assert channels(group, "a.weight") == (0, 1, 2, 0, 1, 2)
    assert channels(group, "b.weight", 1) == (0, 0, 1, 1, 2, 2)


def test_a_split_that_tears_shuffled_channels_apart_leaves_them_whole(find):
    state = arrays(a=(6, 2, 1, 1), b=(3, 3, 1, 1), c=(3, 3, 1, 1), fc=(3, 3))
    sizes = {"wide": np.array([-1, 2, 3, 6, 6]), "back": np.array([-1, 6, 6, 6])}
    nodes = [conv("x", "a", "0"), *shuffle("0", "1", "wide", "back")]
    nodes += [("Split", ["1"], ["2", "3"], {"axis": 1, "num_outputs": 2}), conv("2", "b", "4"), conv("3", "c", "5")]
    found = find([*nodes, ("Add", ["4", "5"], ["6"]), *head("6")], state, sizes)
    assert [group.name for group in found.groups] == ["b.weight"]
    assert found.left_whole["a"].startswith("channel shuffles and splits tie its channels together")


def test_flattening_gives_a_channel_a_run_of_the_next_layers_inputs(find):
    state = arrays(a=(2, 2, 3, 3), fc=(3, 32))
    nodes = [conv("x", "a", "0"), ("Flatten", ["0"], ["1"])]
    (group,) = find([*nodes, ("Gemm", ["1", "fc.weight", "fc.bias"], ["y"], {"transB": 1})], state).groups
    assert channels(group, "fc.weight", 1) == (0,) * 16 + (1,) * 16


def test_squeeze_and_excitation_gates_belong_to_the_channels_that_they_scale(find):
    state = arrays(a=(4, 2, 1, 1), down=(2, 4, 1, 1), up=(4, 2, 1, 1), fc=(3, 4))
    nodes = [conv("x", "a", "0"), ("GlobalAveragePool", ["0"], ["1"]), conv("1", "down", "2"), conv("2", "up", "3")]
    nodes += [("HardSigmoid", ["3"], ["4"]), ("Mul", ["0", "4"], ["5"]), *head("5")]
    found = find(nodes, state)
    assert {("a.weight", 0), ("up.weight", 0), ("down.weight", 1)} <= axes(only(found, "a.weight")).keys()
    assert only(found, "down.weight").size == 2


def test_a_gate_for_the_whole_image_is_left_alone(find):
    state = arrays(a=(4, 2, 1, 1), gate=(1, 4, 1, 1), fc=(3, 4))
    nodes = [conv("x", "a", "0"), conv("0", "gate", "1"), ("Mul", ["0", "1"], ["2"]), *head("2")]
    found = find(nodes, state)
    assert [group.name for group in found.groups] == ["a.weight"]
    assert "gate" in found.left_whole


def test_a_layer_that_is_called_twice_couples_both_calls(find):
    state = arrays(a=(4, 2, 1, 1), b=(4, 4, 1, 1), fc=(3, 4))
    nodes = [conv("x", "a", "0"), conv("0", "b", "1"), conv("1", "b", "2"), *head("2")]
    (group,) = find(nodes, state).groups
    assert {("a.weight", 0), ("b.weight", 0), ("b.weight", 1)} <= axes(group).keys()


def test_a_parameter_for_each_channel_is_recognised_by_its_values(find):
    state = arrays(a=(4, 2, 1, 1), fc=(3, 4))
    state["act.weight"] = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    slope = {"c0": state["act.weight"].reshape(1, 4, 1, 1)}
    (group,) = find([conv("x", "a", "0"), ("PRelu", ["0", "c0"], ["1"]), *head("1")], state, slope).groups
    assert axes(group)["act.weight", 0] == "other"


def test_equal_parameters_that_the_graph_does_not_tell_apart_leave_their_channels_whole(find):
    state = arrays(a=(4, 2, 1, 1), fc=(3, 4))
    state |= {"one.weight": np.full(4, 0.25, np.float32), "two.weight": np.full(4, 0.25, np.float32)}
    slope = {"c0": np.full((1, 4, 1, 1), 0.25, np.float32)}
    found = find([conv("x", "a", "0"), ("PRelu", ["0", "c0"], ["1"]), *head("1")], state, slope)
    assert found.left_whole["a"].startswith("several parameters hold equal values")


def test_a_constant_of_the_code_for_each_channel_leaves_them_whole_and_a_single_number_does_not(find):
    state = arrays(a=(4, 2, 1, 1), fc=(3, 4))
    nodes = [conv("x", "a", "0"), ("Mul", ["0", "c"], ["1"]), *head("1")]
    fixed = find(nodes, state, {"c": np.ones((1, 4, 1, 1), np.float32)})
    assert fixed.left_whole["a"] == "its channels meet a constant of the network's code, whose size is fixed"
    assert len(find(nodes, state, {"c": np.float32(2)}).groups) == 1


def test_layers_on_sequences_are_followed_and_attention_is_left_whole(find):
    state = arrays(stem=(4, 2, 1, 1), qkv=(4, 4), up=(8, 4), down=(4, 8), fc=(3, 4))
    constants = {f"{layer}.t": np.ascontiguousarray(state[f"{layer}.weight"].T) for layer in ("qkv", "up", "down")}
    sizes = {"tokens": np.array([-1, 4, 36]), "heads": np.array([-1, 36, 2, 2]), "joined": np.array([-1, 36, 4])}
    nodes = [
        conv("x", "stem", "0"),
        ("Reshape", ["0", "tokens"], ["1"]),
        ("Transpose", ["1"], ["2"], {"perm": [0, 2, 1]}),
        ("MatMul", ["2", "qkv.t"], ["3"]),
        ("Add", ["3", "qkv.bias"], ["4"]),
        ("Reshape", ["4", "heads"], ["5"]),
        ("Reshape", ["5", "joined"], ["6"]),
        ("Add", ["2", "6"], ["7"]),
        ("MatMul", ["7", "up.t"], ["8"]),
        ("Add", ["8", "up.bias"], ["9"]),
        ("Gelu", ["9"], ["10"]),
        ("MatMul", ["10", "down.t"], ["11"]),
        ("Add", ["11", "down.bias"], ["12"]),
        ("ReduceMean", ["12", "axes"], ["13"], {"keepdims": 0}),
        ("Gemm", ["13", "fc.weight", "fc.bias"], ["y"], {"transB": 1}),
    ]
    found = find(nodes, state, constants | sizes | {"axes": np.array([1])})
    assert axes(only(found, "up.weight")) == {
        ("up.weight", 0): "output",
        ("up.bias", 0): "bias",
        ("down.weight", 1): "input",
    }
    assert (
        found.left_whole["qkv"] == "its channels are reshaped into several axes, whose lengths the network's code fixes"
    )
    assert "stem" in found.left_whole


def test_sizes_that_the_graph_computes_are_worked_out(find):
    state = arrays(a=(4, 2, 1, 1), fc=(3, 4))
    state["token"] = np.array([[[0.1, 0.2, 0.3, 0.4]]], np.float32)
    nodes = [
        conv("x", "a", "0"),
        ("Shape", ["0"], ["sizes"], {"start": 0, "end": 2}),
        ("Concat", ["sizes", "rest"], ["target"], {"axis": 0}),
        ("Reshape", ["0", "target"], ["1"]),
        ("Transpose", ["1"], ["2"], {"perm": [0, 2, 1]}),
        ("Shape", ["x"], ["batch"], {"start": 0, "end": 1}),
        ("Concat", ["batch", "ones"], ["repeats"], {"axis": 0}),
        ("Expand", ["token", "repeats"], ["tokens"]),
        ("Concat", ["tokens", "2"], ["3"], {"axis": 1}),
        ("Gather", ["3", "first"], ["4"], {"axis": 1}),
        ("Gemm", ["4", "fc.weight", "fc.bias"], ["y"], {"transB": 1}),
    ]
    sizes = {"rest": np.array([-1]), "ones": np.array([1, 1]), "first": np.array(0)}
    (group,) = find(nodes, state, sizes).groups
    assert axes(group) == {
        ("a.weight", 0): "output",
        ("a.bias", 0): "bias",
        ("fc.weight", 1): "input",
        ("token", 2): "other",
    }


def test_layer_norm_over_channels_loses_them_too(find):
    state = arrays(a=(4, 2, 1, 1), fc=(3, 4))
    state |= {"ln.weight": np.arange(1, 5, dtype=np.float32), "ln.bias": np.arange(2, 6, dtype=np.float32)}
    nodes = [("GlobalAveragePool", ["0"], ["1"]), ("Flatten", ["1"], ["2"])]
    nodes += [("LayerNormalization", ["2", "ln.weight", "ln.bias"], ["3"], {"axis": -1})]
    nodes = [conv("x", "a", "0"), *nodes, ("Gemm", ["3", "fc.weight", "fc.bias"], ["y"], {"transB": 1})]
    (group,) = find(nodes, state).groups
    assert (axes(group)["ln.weight", 0], axes(group)["ln.bias", 0]) == ("scale", "shift")


def test_a_transposed_convolution_has_its_outputs_on_axis_one(find):
    state = arrays(a=(4, 2, 1, 1), up=(4, 5, 2, 2), fc=(3, 5))
    state["up.bias"] = np.ones(5, np.float32)
    nodes = [conv("x", "a", "0"), ("ConvTranspose", ["0", "up.weight", "up.bias"], ["1"]), *head("1")]
    found = find(nodes, state)
    assert axes(only(found, "a.weight"))["up.weight", 0] == "input"
    assert axes(only(found, "up.weight")).items() >= {("up.weight", 1): "output", ("up.bias", 0): "bias"}.items()


def test_operators_that_are_not_followed_leave_what_meets_at_them_whole_by_name(find):
    state = arrays(a=(4, 2, 1, 1), b=(5, 4, 1, 1), fc=(3, 5))
    nodes = [conv("x", "a", "0"), ("LRN", ["0"], ["1"], {"size": 3}), conv("1", "b", "2"), *head("2")]
    found = find(nodes, state)
    assert [group.name for group in found.groups] == ["b.weight"]
    assert found.left_whole["a"] == "its channels meet the operator LRN, which is not followed"


def test_padding_with_further_channels_leaves_them_whole(find):
    state = arrays(a=(4, 2, 1, 1), fc=(3, 6))
    pads = {"pads": np.array([0, 1, 0, 0, 0, 1, 0, 0])}
    found = find([conv("x", "a", "0"), ("Pad", ["0", "pads"], ["1"]), *head("1")], state, pads)
    assert found.left_whole["a"] == "its channels are padded with further ones"


def test_softmax_behind_the_last_layer_leaves_the_reason_as_it_is(find):
    state = arrays(a=(4, 2, 1, 1), fc=(3, 4))
    nodes = [conv("x", "a", "0"), *head("0")[:2], ("Gemm", ["flat", "fc.weight", "fc.bias"], ["z"], {"transB": 1})]
    found = find([*nodes, ("Softmax", ["z"], ["y"])], state)
    assert found.left_whole == {"fc": OUTPUT}


def test_layers_that_the_exported_graph_does_not_hold_are_named(find):
    state = arrays(a=(4, 2, 1, 1), aux=(3, 4), fc=(3, 4))
    found = find([conv("x", "a", "0"), *head("0")], state)
    assert found.left_whole["aux"] == "the exported graph does not hold its weights"


def test_the_arrays_of_another_network_are_refused(build):
    state = arrays(a=(4, 2, 1, 1), b=(5, 4, 1, 1), fc=(3, 5))
    model = build([conv("x", "a", "0"), conv("0", "b", "1"), *head("1")], state)
    with pytest.raises(ModelError, match="not of one network"):
        find_groups(model, {**state, "b.weight": np.zeros((5, 3, 1, 1), np.float32)}, ())


def test_a_square_matrix_under_its_own_name_may_stand_turned(build):
    state = arrays(a=(4, 2, 1, 1), b=(4, 4), fc=(3, 4))
    nodes = [conv("x", "a", "0"), ("Reshape", ["0", "s"], ["1"]), ("Transpose", ["1"], ["2"], {"perm": [0, 2, 1]})]
    nodes += [("MatMul", ["2", "b.weight"], ["3"]), ("Add", ["3", "b.bias"], ["4"])]
    nodes += [("ReduceMean", ["4", "axes"], ["5"], {"keepdims": 0})]
    nodes += [("Gemm", ["5", "fc.weight", "fc.bias"], ["y"], {"transB": 1})]
    graph = state | {"b.weight": np.ascontiguousarray(state["b.weight"].T)}
    graph |= {"s": np.array([-1, 4, 36]), "axes": np.array([1])}
    found = find_groups(build(nodes, graph), state, ())
    assert axes(only(found, "a.weight"))["b.weight", 1] == "input"
    assert axes(only(found, "b.weight"))["b.weight", 0] == "output"


def test_the_groups_after_cuts_are_those_of_the_cut_network(build):
    def network(a, b, g, block):
        state = arrays(
            a=(a, 2, 1, 1), b=(b, 2, 1, 1), c=(a + b, a + b, 1, 1), g=(2 * g, block, 1, 1), fc=(3, 2 * g * 36)
        )
        state |= arrays(wide=(2 * block, a + b, 1, 1))
        nodes = [conv("x", "a", "0"), conv("x", "b", "1"), ("Concat", ["0", "1"], ["2"], {"axis": 1})]
        nodes += [conv("2", "c", "3"), ("Add", ["2", "3"], ["4"]), conv("4", "wide", "5"), conv("5", "g", "6", group=2)]
        nodes += [("Flatten", ["6"], ["7"]), ("Gemm", ["7", "fc.weight", "fc.bias"], ["y"], {"transB": 1})]
        return build(nodes, state), state

    whole = find_groups(*network(3, 2, 3, 4), ())
    joined, blocks, inputs = only(whole, "a.weight"), only(whole, "g.weight"), only(whole, "wide.weight")
    assert (joined.size, blocks.blocks, inputs.size) == (5, 2, 4)
    cuts = [Cut(group=joined, remove=(1, 3)), Cut(group=blocks, remove=(0, 5)), Cut(group=inputs, remove=(2,))]
    assert after_cuts(whole, cuts) == find_groups(*network(2, 1, 2, 3), ())
