"""A backend's groups, brought to the one form that core decides on."""

from __future__ import annotations

import numpy as np

from paredown.algorithms.groups import normalise
from paredown.contracts import LayerInfo
from paredown.plan import Group, Member

STATE = {
    "conv1.weight": np.zeros((4, 3, 3, 3)),
    "bn1.weight": np.zeros(4),
    "bn1.bias": np.zeros(4),
    "bn1.running_mean": np.zeros(4),
    "bn1.running_var": np.zeros(4),
    "fc.weight": np.zeros((10, 4)),
    "fc.bias": np.zeros(10),
}


def layer(name: str, kind: str, *, is_output: bool = False) -> LayerInfo:
    return LayerInfo(name, kind, kind, (), (), (), is_output=is_output)


LAYERS = (layer("conv1", "conv"), layer("bn1", "batch_norm"), layer("fc", "linear", is_output=True))


def measured(*members: tuple[str, int], name: str = "?") -> Group:
    return Group(name=name, size=4, members=tuple(Member(parameter=p, axis=a) for p, a in members))


CONV = measured(("fc.weight", 1), ("bn1.bias", 0), ("conv1.weight", 0), ("bn1.weight", 0), ("bn_0.tmp_2", 0))
HEAD = measured(("fc.weight", 0), ("fc.bias", 0))


def test_members_follow_the_networks_order_and_running_statistics_join_as_buffers():
    (group,) = normalise([CONV], STATE, LAYERS, {}).groups
    assert group.name == "conv1.weight"
    assert [(m.parameter, m.axis, m.role) for m in group.members] == [
        ("conv1.weight", 0, "parameter"),
        ("bn1.weight", 0, "parameter"),
        ("bn1.bias", 0, "parameter"),
        ("bn1.running_mean", 0, "buffer"),
        ("bn1.running_var", 0, "buffer"),
        ("fc.weight", 1, "parameter"),
    ]


def test_what_is_no_parameter_is_dropped():
    (group,) = normalise([CONV], STATE, LAYERS, {}).groups
    assert "bn_0.tmp_2" not in {member.parameter for member in group.members}


def test_the_networks_outputs_are_protected_and_named():
    found = normalise([CONV, HEAD], STATE, LAYERS, {})
    assert [group.name for group in found.groups] == ["conv1.weight"]
    assert found.left_whole == {"fc": "its outputs are the network's"}


def test_where_no_layer_is_marked_the_last_one_with_weights_is_the_output():
    unmarked = (layer("conv1", "conv"), layer("fc", "linear"), layer("softmax", "other"))
    assert [group.name for group in normalise([CONV, HEAD], STATE, unmarked, {}).groups] == ["conv1.weight"]


def test_a_softmax_behind_the_head_leaves_the_head_protected():
    softmax = LayerInfo("softmax", "other", "Softmax", (), (), (), source="fc", is_output=True)
    layers = (layer("conv1", "conv"), layer("fc", "linear"), softmax)
    found = normalise([CONV, HEAD], STATE, layers, {})
    assert [group.name for group in found.groups] == ["conv1.weight"]
    assert found.left_whole == {"fc": "its outputs are the network's"}


def test_a_group_found_twice_is_one_group():
    assert len(normalise([CONV, CONV], STATE, LAYERS, {}).groups) == 1
