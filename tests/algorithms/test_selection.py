"""Which channels go when a ratio says how many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paredown.algorithms.allocation import CutRequest, choose
from paredown.algorithms.costs import Costs
from paredown.algorithms.removal import removal_order, share
from paredown.errors import PlanError
from paredown.plan import Group, Member


def group(name: str, size: int, blocks: int = 1) -> Group:
    return Group(name=name, size=size, members=(Member(parameter=name, axis=0, role="output"),), blocks=blocks)


def select(groups, scores, ratio, scope, round_to=1):
    """The cuts that a plain ratio asks for; what they cost is not looked at."""
    lengths = [(member, group.size, member.channels) for group in groups for member in group.members]
    shapes = {
        member.parameter: (*[1] * member.axis, size if channels is None else len(channels))
        for member, size, channels in lengths
    }
    return choose(groups, scores, CutRequest(scope, ratio=ratio, round_to=round_to), Costs(groups, shapes, [])).cuts


def removed(cuts) -> dict[str, tuple[int, ...]]:
    return {cut.group.name: cut.remove for cut in cuts}


def test_local_removes_the_share_of_each_group():
    cuts = select([group("a", 4), group("b", 2)], [np.array([3.0, 1, 2, 4]), np.array([9.0, 8])], 0.5, "local")
    assert removed(cuts) == {"a": (1, 2), "b": (1,)}


def test_global_compares_scores_relative_to_their_groups_mean():
    # b's numbers are a thousand times a's; relative to their means, b's channels 0 and 1 and a's 0 are the least.
    scores = [np.array([1.0, 5, 5, 5]), np.array([1000.0, 2000, 9000, 9000])]
    assert removed(select([group("a", 4), group("b", 4)], scores, 3 / 8, "global")) == {"a": (0,), "b": (0, 1)}


def test_global_takes_the_lowest_score_where_scores_are_below_zero():
    # Relative to its mean magnitude, 3, each of a's channels is at -5/3 to -1/3; b's are at 1.
    scores = [np.array([-1.0, -3, -5]), np.array([2.0, 2, 2])]
    assert removed(select([group("a", 3), group("b", 3)], scores, 2 / 6, "global")) == {"a": (1, 2)}
    assert removed(select([group("a", 3), group("b", 3)], [scores[0], -scores[1]], 1 / 6, "global")) == {"a": (2,)}


def test_a_tie_keeps_the_lower_index():
    assert removed(select([group("a", 4)], [np.ones(4)], 0.5, "local")) == {"a": (2, 3)}
    assert removed(select([group("a", 4)], [np.ones(4)], 0.5, "global")) == {"a": (2, 3)}


def test_every_group_keeps_a_channel():
    cuts = select([group("a", 2), group("b", 4)], [np.zeros(2), np.ones(4)], 0.9, "global")
    assert {cut.group.name: cut.group.size - len(cut.remove) for cut in cuts} == {"a": 1, "b": 1}


def test_every_member_keeps_one_of_the_channels_that_it_holds():
    members = (
        Member(parameter="a", axis=0, channels=(0, 1), role="output"),
        Member(parameter="b", axis=0, channels=(2, 3), role="output"),
        Member(parameter="c", axis=1, role="input"),
    )
    mixed = Group(name="a", size=4, members=members)
    for scope in ("local", "global"):
        assert removed(select([mixed], [np.array([1.0, 2, 8, 9])], 0.75, scope)) == {"a": (0, 2)}


def test_blocks_lose_equally_many_channels():
    cuts = select([group("a", 8, blocks=2)], [np.array([1.0, 2, 3, 4, 0.1, 0.2, 0.3, 0.4])], 0.5, "local")
    assert removed(cuts) == {"a": (0, 1, 4, 5)}


def test_global_reaches_the_ratio_where_channels_go_by_blocks():
    generator = np.random.default_rng(0)
    groups = [group(f"g{index}", 128, blocks=32) for index in range(8)] + [group(f"p{index}", 64) for index in range(4)]
    scores = [generator.uniform(size=one.size) for one in groups]
    for ratio in (0.1, 0.3, 0.5):
        gone = sum(len(cut.remove) for cut in select(groups, scores, ratio, "global"))
        assert gone == int(ratio * sum(one.size for one in groups))


def test_a_share_that_binary_numbers_miss_is_what_a_person_means():
    cuts = select([group("a", 100)], [np.arange(100.0)], 0.29, "local")
    assert len(cuts[0].remove) == 29
    assert share(10**9, 0.29) == 290_000_000


@pytest.mark.parametrize("scope", ["local", "global"])
def test_widths_that_are_left_are_multiples_of_round_to_or_whole(scope):
    groups, scores = [group("a", 64), group("b", 20), group("c", 8)], [np.arange(1.0, n + 1) for n in (64, 20, 8)]
    for ratio in (0.1, 0.3, 0.5, 0.9):
        for cut in select(groups, scores, ratio, scope, round_to=8):
            assert (cut.group.size - len(cut.remove)) % 8 == 0
    assert removed(select(groups[1:2], scores[1:2], 0.5, "local", round_to=8)) == {"b": tuple(range(4))}


def test_a_channel_that_owns_several_positions_counts_with_all_of_them():
    # Each channel is four of a's outputs: two channels are eight.
    root = Member(parameter="a", axis=0, channels=tuple(np.tile(np.arange(6), 4).tolist()), role="output")
    order = removal_order(Group(name="a", size=6, members=(root,)), np.arange(6.0), round_to=8)
    assert order.permitted == (0, 2, 4)


def test_blocks_and_round_to_hold_together():
    order = removal_order(group("a", 48, blocks=6), np.arange(48.0), round_to=4)
    assert [order.count(step) for step in range(order.last + 1)] == [0, 12, 24, 36]


def test_blocks_that_do_not_divide_the_group_are_an_error():
    with pytest.raises(PlanError, match="group a"):
        select([group("a", 7, blocks=2)], [np.ones(7)], 0.5, "local")


@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    ratio=st.floats(0.01, 0.99),
    scope=st.sampled_from(["local", "global"]),
    seed=st.integers(0, 1000),
)
def test_what_is_kept_matters_at_least_as_much_as_what_goes(sizes, ratio, scope, seed):
    generator = np.random.default_rng(seed)
    groups = [group(f"g{index}", size) for index, size in enumerate(sizes)]
    scores = [generator.integers(0, 5, size).astype(float) for size in sizes]
    for cut in select(groups, scores, ratio, scope):
        values = scores[int(cut.group.name[1:])]
        kept = np.delete(values, cut.remove)
        assert len(kept) >= 1
        assert kept.min() >= values[list(cut.remove)].max()
        assert list(cut.remove) == sorted(set(cut.remove))


@given(
    sizes=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4)), min_size=1, max_size=4),
    ratios=st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)),
    scope=st.sampled_from(["local", "global"]),
    seed=st.integers(0, 1000),
)
def test_more_blocks_stay_equal_and_a_greater_ratio_takes_no_less(sizes, ratios, scope, seed):
    generator = np.random.default_rng(seed)
    groups = [group(f"g{index}", width * blocks, blocks) for index, (width, blocks) in enumerate(sizes)]
    scores = [generator.uniform(size=one.size) for one in groups]
    less, more = (select(groups, scores, ratio, scope) for ratio in sorted(ratios))
    for cut in more:
        width = cut.group.size // cut.group.blocks
        assert len(set(np.bincount(np.array(cut.remove) // width, minlength=cut.group.blocks))) == 1
    assert sum(len(cut.remove) for cut in less) <= sum(len(cut.remove) for cut in more)


@pytest.mark.parametrize("scope", ["local", "global"])
def test_too_small_a_ratio_selects_nothing(scope):
    assert select([group("a", 4)], [np.arange(4.0)], 0.1, scope) == ()


@pytest.mark.parametrize("scope", ["local", "global"])
def test_nothing_is_selected_from_no_groups(scope):
    assert select([], [], 0.5, scope) == ()
