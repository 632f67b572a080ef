"""What a cut leaves of the arrays."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.surgery import cut_state
from paredown.errors import PlanError
from paredown.plan import Cut, Group, Member

STATE = {"a": np.arange(8.0).reshape(4, 2), "b": np.arange(8.0).reshape(1, 8), "c": np.arange(3.0)}


def cut(remove: tuple[int, ...], *members: Member, size: int = 4) -> Cut:
    return Cut(group=Group(name="a", size=size, members=members), remove=remove)


def test_every_member_loses_the_channels_along_its_own_axis():
    spread = Member(parameter="b", axis=1, channels=(0, 0, 1, 1, 2, 2, 3, 3), role="input")
    after = cut_state(STATE, [cut((1, 3), Member(parameter="a", axis=0, role="output"), spread)])
    np.testing.assert_array_equal(after["a"], [[0, 1], [4, 5]])
    np.testing.assert_array_equal(after["b"], [[0, 1, 4, 5]])
    np.testing.assert_array_equal(after["c"], STATE["c"])


def test_two_groups_may_cut_two_axes_of_one_array():
    rows = cut((0,), Member(parameter="a", axis=0, role="output"))
    columns = cut((1,), Member(parameter="a", axis=1, role="input"), size=2)
    np.testing.assert_array_equal(cut_state(STATE, [rows, columns])["a"], [[2], [4], [6]])


def test_two_groups_may_share_one_axis_of_a_concatenation():
    first = cut((0,), Member(parameter="b", axis=1, channels=(0, 1, -1, -1, -1, -1, -1, -1), role="input"), size=2)
    second = cut((5,), Member(parameter="b", axis=1, channels=(-1, -1, 0, 1, 2, 3, 4, 5), role="input"), size=6)
    np.testing.assert_array_equal(cut_state(STATE, [first, second])["b"], [[1, 2, 3, 4, 5, 6]])


def test_a_plan_for_another_network_is_refused_with_the_array_and_both_lengths():
    with pytest.raises(PlanError, match=r"a, axis 0") as caught:
        cut_state(STATE, [cut((1,), Member(parameter="a", axis=0, role="output"), size=6)])
    assert caught.value.problems[0].value == "4 long"
    assert caught.value.problems[0].expected == "6 long"
