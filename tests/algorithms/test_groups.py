"""The groups that are left once cuts are made."""

from __future__ import annotations

import pytest

from paredown.algorithms.groups import NARROW, SINGLE, GroupSet, after_cuts, output_layers
from paredown.errors import PlanError
from paredown.plan import Cut, Group, Member

A = Group(
    name="a.weight",
    size=3,
    members=(
        Member(parameter="a.weight", axis=0, role="output"),
        Member(parameter="c.weight", axis=1, channels=(0, 1, 2, -1, -1), role="input"),
    ),
)
B = Group(
    name="b.weight",
    size=2,
    members=(
        Member(parameter="b.weight", axis=0, role="output"),
        Member(parameter="c.weight", axis=1, channels=(-1, -1, -1, 0, 1), role="input"),
    ),
)
BLOCKS = Group(name="g.weight", size=6, members=(Member(parameter="g.weight", axis=0, role="output"),), blocks=2)
FOUND = GroupSet((A, B, BLOCKS), {"fc": "its outputs are the network's"})


def channels(group):
    return [member.channels for member in group.members]


def test_without_cuts_nothing_changes():
    assert after_cuts(FOUND, ()) == FOUND


def test_channels_and_positions_are_numbered_anew_in_every_group_on_the_axis():
    after = after_cuts(FOUND, [Cut(group=A, remove=(1,))])
    assert [group.size for group in after.groups] == [2, 2, 6]
    assert channels(after.groups[0]) == [None, (0, 1, -1, -1)]
    assert channels(after.groups[1]) == [None, (-1, -1, 0, 1)]


def test_a_flattened_channel_loses_its_whole_run():
    flat = A.model_copy(
        update={"members": (*A.members[:1], A.members[1].model_copy(update={"channels": (0, 0, 1, 1, 2, 2)}))}
    )
    after = after_cuts(GroupSet((flat,), {}), [Cut(group=flat, remove=(0,))])
    assert channels(after.groups[0]) == [None, (0, 0, 1, 1)]


def test_blocks_stay_blocks():
    (after,) = after_cuts(GroupSet((BLOCKS,), {}), [Cut(group=BLOCKS, remove=(0, 3))]).groups
    assert (after.size, after.blocks) == (4, 2)


def test_a_group_with_one_channel_left_is_named_among_the_layers_left_whole():
    after = after_cuts(FOUND, [Cut(group=B, remove=(0,))])
    assert [group.name for group in after.groups] == ["a.weight", "g.weight"]
    assert after.left_whole == {**FOUND.left_whole, "b": SINGLE}


def test_a_group_with_one_channel_in_each_block_is_named_among_the_layers_left_whole():
    after = after_cuts(FOUND, [Cut(group=BLOCKS, remove=(0, 2, 3, 4))])
    assert [group.name for group in after.groups] == ["a.weight", "b.weight"]
    assert after.left_whole == {**FOUND.left_whole, "g": NARROW}


def test_cuts_of_several_rounds_add_up():
    once = after_cuts(FOUND, [Cut(group=A, remove=(0,)), Cut(group=B, remove=(1,))])
    (again,) = [group for group in after_cuts(once, ()).groups if group.name == "a.weight"]
    assert channels(again) == [None, (0, 1, -1)]
    assert again == once.groups[0]


@pytest.mark.parametrize(
    ("cuts", "what"),
    [
        ([Cut(group=A.model_copy(update={"size": 4}), remove=(0,))], "not one of this network"),
        ([Cut(group=A, remove=(0,)), Cut(group=A, remove=(1,))], "twice"),
        ([Cut(group=A, remove=(0, 1, 2))], "every channel"),
    ],
)
def test_cuts_that_do_not_fit_the_groups_are_refused(cuts, what):
    with pytest.raises(PlanError, match=what):
        after_cuts(FOUND, cuts)


def test_a_layer_that_holds_a_part_of_a_group_must_keep_a_channel_of_it():
    part = Member(parameter="p.weight", axis=0, channels=(0, 1), role="output")
    group = A.model_copy(update={"members": (*A.members, part)})
    with pytest.raises(PlanError, match="every position of an axis"):
        after_cuts(GroupSet((group,), {}), [Cut(group=group, remove=(0, 1))])


def test_the_layers_of_a_group_are_those_whose_outputs_it_holds():
    assert output_layers(A) == ("a",)
