"""Scores of coupled channels, against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.criteria.chance import channels as by_chance
from paredown.algorithms.criteria.norms import l1, l2
from paredown.algorithms.criteria.taylor import taylor
from paredown.algorithms.importance import score
from paredown.algorithms.slices import member_slices
from paredown.contracts import Activity
from paredown.errors import PlanError
from paredown.plan import Group, Member

STATE = {
    "conv.weight": np.array([[[[1.0, -2.0]]], [[[3.0, 0.0]]]], dtype=np.float32),
    "bn.weight": np.array([2.0, 0.5], dtype=np.float32),
    "bn.running_mean": np.array([100.0, 100.0], dtype=np.float32),
    "fc.weight": np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 1.0, 1.0]], dtype=np.float32),
}
CONV = Member(parameter="conv.weight", axis=0, role="output")
SCALE = Member(parameter="bn.weight", axis=0, role="scale")
FLAT = Member(parameter="fc.weight", axis=1, channels=(0, 0, 1, 1), role="input")
MEAN = Member(parameter="bn.running_mean", axis=0, role="buffer")


def group(*members: Member, size: int = 2) -> Group:
    return Group(name=members[0].parameter, size=size, members=members)


GROUP = group(CONV, SCALE, FLAT, MEAN)


def test_every_member_but_the_running_statistics_is_scored():
    # channel 0: conv 1 + 4, bn 4, fc 1 + 4 + 0 + 0; channel 1: conv 9, bn 0.25, fc 9 + 16 + 1 + 1
    np.testing.assert_array_equal(score(GROUP, STATE, l2, None), [(5 + 4 + 5) / 3, (9 + 0.25 + 27) / 3])
    np.testing.assert_array_equal(score(GROUP, STATE, l1, None), [(3 + 2 + 3) / 3, (3 + 0.5 + 9) / 3])


def test_flattened_features_belong_to_the_channel_that_they_came_from():
    np.testing.assert_array_equal(member_slices(FLAT, 2, STATE), [[1, 0, 2, 0], [3, 1, 4, 1]])


def test_positions_of_other_groups_are_not_scored():
    member = Member(parameter="bn.weight", axis=0, channels=(-1, 0), role="scale")
    np.testing.assert_array_equal(member_slices(member, 1, STATE), [[0.5]])


def test_channels_that_own_other_members_are_scored_by_what_they_own():
    # Channels 0 and 1 come from one layer, channel 2 from another (a concatenation that a third layer reads).
    state = {"a": np.array([[1.0], [2.0]]), "b": np.array([[3.0]]), "c": np.array([[1.0, 1.0, 2.0, 0.0]])}
    mixed = Group(
        name="a",
        size=3,
        members=(
            Member(parameter="a", axis=0, channels=(0, 1), role="output"),
            Member(parameter="b", axis=0, channels=(2,), role="output"),
            Member(parameter="c", axis=1, channels=(0, 1, 2, 2), role="input"),
        ),
    )
    asked = []

    def spy(slices, options):
        asked.append((slices.parameters, [values.shape for values in slices.weights]))
        return l2(slices, options)

    np.testing.assert_array_equal(score(mixed, state, spy, None), [(1 + 1) / 2, (4 + 1) / 2, (9 + 4) / 2])
    assert asked == [(("a", "c"), [(2, 1), (2, 1)]), (("b", "c"), [(1, 1), (1, 2)])]


def test_a_transposed_copy_gives_the_same_bits():
    # Paddle keeps Linear weights transposed: the backend hands out a view, and the sum must not notice.
    weight = np.random.default_rng(0).standard_normal((64, 96)).astype(np.float32)
    one = group(Member(parameter="fc.weight", axis=0, role="output"), size=64)
    view = np.ascontiguousarray(weight.T).T
    np.testing.assert_array_equal(
        score(one, {"fc.weight": weight}, l2, None), score(one, {"fc.weight": view}, l2, None)
    )


def test_gradients_are_summed_over_the_positions_of_a_channel():
    gradients = {("fc.weight", 1): np.array([[1.0, 2.0, 0.0, 5.0], [0.0, 1.0, 1.0, 0.0]])}
    # channel 0: ((1 + 2)^2 + 1^2) / 2; channel 1: (5^2 + 1^2) / 2
    np.testing.assert_array_equal(score(group(FLAT), STATE, taylor, None, gradients=gradients), [5, 13])


def test_gradients_that_do_not_fit_are_an_error_that_names_the_axis():
    with pytest.raises(PlanError, match=r"bn\.weight, axis 0"):
        score(group(CONV, SCALE), STATE, taylor, None, gradients={("conv.weight", 0): np.ones((1, 2))})


def seen(members, state, activity, size=2):
    """What a criterion is told that each layer sees of the channels."""
    told = []

    def spy(slices, options):
        told.extend(layer.mean_absolute.tolist() for layer in slices.activity)
        return np.ones(len(slices.weights[0]))

    score(group(*members, size=size), state, spy, None, activity=activity)
    return told


def active(*values: float) -> Activity:
    return Activity(np.array(values), np.zeros(len(values)))


def test_a_layer_sees_the_mean_of_a_channels_positions():
    assert seen((CONV, FLAT), STATE, {"fc": active(1, 3, 5, 5), "other": active(9)}) == [[2, 5]]


def test_a_convolution_in_blocks_sees_each_channel_once_a_block():
    state = {"a.weight": np.ones((4, 1, 1, 1)), "b.weight": np.ones((4, 2, 1, 1))}
    members = (
        Member(parameter="a.weight", axis=0, channels=(0, 1, 0, 1), role="output"),
        Member(parameter="b.weight", axis=1, role="input"),
    )
    assert seen(members, state, {"b": active(1, 2, 3, 4)}) == [[2, 3]]


def test_a_depthwise_layer_reads_through_its_outputs_and_a_producer_does_not():
    state = {"a.weight": np.ones((2, 3, 1, 1)), "d.weight": np.ones((4, 1, 3, 3))}
    members = (
        Member(parameter="a.weight", axis=0, role="output"),
        Member(parameter="d.weight", axis=0, channels=(0, 0, 1, 1), role="output"),
    )
    assert seen(members, state, {"a": active(7, 7, 7), "d": active(1, 2)}) == [[1, 2]]


def test_activations_that_do_not_fit_are_an_error_that_names_the_layer():
    with pytest.raises(PlanError, match=r"fc\.weight"):
        seen((CONV, FLAT), STATE, {"fc": active(1, 2, 3)})


def test_a_group_that_the_criterion_has_nothing_to_go_by_for_has_no_scores():
    assert score(GROUP, STATE, lambda slices, options: None, None) is None


def test_chance_is_the_runs_seed_and_the_groups_name():
    first, again, other = (score(GROUP, STATE, by_chance, None, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_criterion_that_gives_nan_is_an_error_that_names_the_group():
    with pytest.raises(PlanError, match=r"conv\.weight"):
        score(GROUP, STATE, lambda slices, options: np.full(2, np.nan), None)


def test_a_member_of_another_length_is_an_error():
    with pytest.raises(PlanError, match=r"bn\.weight, axis 0"):
        score(group(SCALE, size=3), STATE, l2, None)


def test_a_channel_in_no_parameter_is_an_error():
    with pytest.raises(PlanError, match="in none of its members"):
        score(group(Member(parameter="bn.weight", axis=0, channels=(0, 0), role="scale")), STATE, l2, None)
