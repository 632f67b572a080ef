"""Scores of coupled channels, against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.importance import l1, l2, member_slices, score
from paredown.errors import PlanError
from paredown.plan import Group, Member

STATE = {
    "conv.weight": np.array([[[[1.0, -2.0]]], [[[3.0, 0.0]]]], dtype=np.float32),
    "bn.weight": np.array([2.0, 0.5], dtype=np.float32),
    "fc.weight": np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 1.0, 1.0]], dtype=np.float32),
}
GROUP = Group(
    name="conv.weight",
    size=2,
    members=(
        Member(parameter="conv.weight", axis=0),
        Member(parameter="bn.weight", axis=0),
        Member(parameter="fc.weight", axis=1, channels=(0, 0, 1, 1)),
        Member(parameter="bn.running_mean", axis=0, role="buffer"),
    ),
)


def test_l2_is_the_mean_over_members_of_the_squared_norm():
    # channel 0: conv 1 + 4, bn 4, fc 1 + 4 + 0 + 0; channel 1: conv 9, bn 0.25, fc 9 + 16 + 1 + 1
    np.testing.assert_array_equal(score(GROUP, STATE, l2, None), [(5 + 4 + 5) / 3, (9 + 0.25 + 27) / 3])


def test_l1_is_the_mean_over_members_of_the_absolute_sum():
    np.testing.assert_array_equal(score(GROUP, STATE, l1, None), [(3 + 2 + 3) / 3, (3 + 0.5 + 9) / 3])


def test_flattened_features_belong_to_the_channel_that_they_came_from():
    slices = member_slices(GROUP.members[2], 2, STATE)
    np.testing.assert_array_equal(slices, [[1, 0, 2, 0], [3, 1, 4, 1]])


def test_positions_of_other_groups_are_not_scored():
    member = Member(parameter="bn.weight", axis=0, channels=(-1, 0))
    np.testing.assert_array_equal(member_slices(member, 1, STATE), [[0.5]])


def test_a_transposed_copy_gives_the_same_bits():
    # Paddle keeps Linear weights transposed: the backend hands out a view, and the sum must not notice.
    weight = np.random.default_rng(0).standard_normal((64, 96)).astype(np.float32)
    group = Group(name="fc.weight", size=64, members=(Member(parameter="fc.weight", axis=0),))
    view = np.ascontiguousarray(weight.T).T
    np.testing.assert_array_equal(
        score(group, {"fc.weight": weight}, l2, None), score(group, {"fc.weight": view}, l2, None)
    )


def test_a_criterion_that_gives_nan_is_an_error_that_names_the_group():
    with pytest.raises(PlanError, match=r"conv\.weight"):
        score(GROUP, STATE, lambda slices, options: np.full(2, np.nan), None)


def test_a_member_of_another_length_is_an_error():
    group = Group(name="x", size=3, members=(Member(parameter="bn.weight", axis=0),))
    with pytest.raises(PlanError, match=r"bn\.weight, axis 0"):
        score(group, STATE, l2, None)
