"""Criteria, against numbers worked by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from paredown.algorithms.criteria import activation, batch_norm, chance, geometric_median, lamp, norms, taylor
from paredown.contracts import Activity, ChannelSlices
from paredown.errors import PlanError

NO_CHANCE = np.random.default_rng(0)


def slices(**members) -> ChannelSlices:
    """Members by role; several of one role as a list."""
    named = [(role, values) for role, given in members.items() for values in given]
    return ChannelSlices(
        group="conv.weight",
        parameters=tuple(f"{role}{index}" for index, (role, _) in enumerate(named)),
        roles=tuple(role for role, _ in named),
        weights=tuple(np.asarray(values, dtype=np.float64) for _, values in named),
        random=chance.seeded(0, "conv.weight"),
    )


CONV_AND_BN = slices(output=[[[1, -2], [3, 0]]], scale=[[[2], [-0.5]]], input=[[[1, 2], [0, 1]]])


def test_l1_is_the_mean_over_members_of_the_absolute_sum():
    # channel 0: 3, 2, 3; channel 1: 3, 0.5, 1
    np.testing.assert_array_equal(norms.l1(CONV_AND_BN, None), [8 / 3, 4.5 / 3])


def test_l2_is_the_mean_over_members_of_the_squared_norm():
    # channel 0: 5, 4, 5; channel 1: 9, 0.25, 1
    np.testing.assert_array_equal(norms.l2(CONV_AND_BN, None), [14 / 3, 10.25 / 3])


def test_single_weights_score_their_absolute_value_or_their_square():
    weight = np.array([[-3.0, 2.0]])
    np.testing.assert_array_equal(norms.absolute(weight, None, NO_CHANCE), [[3, 2]])
    np.testing.assert_array_equal(norms.square(weight, None, NO_CHANCE), [[9, 4]])


def test_fpgm_is_the_mean_distance_to_the_other_filters():
    # Filters (0, 0), (3, 4), (0, 4): distances 5, 4 and 3. The scale of the BatchNorm does not enter.
    found = geometric_median.fpgm(slices(output=[[[0, 0], [3, 4], [0, 4]]], scale=[[[9], [0], [0]]]), None)
    np.testing.assert_allclose(found, [(5 + 4) / 2, (5 + 3) / 2, (4 + 3) / 2], rtol=1e-12)


def test_fpgm_takes_the_mean_over_coupled_layers():
    found = geometric_median.fpgm(slices(output=[[[0], [1]], [[0], [5]]]), None)
    np.testing.assert_allclose(found, [3, 3], rtol=1e-12)


def test_fpgm_is_exact_for_equal_filters_far_from_the_origin():
    found = geometric_median.fpgm(slices(output=[[[1e6, 1], [1e6, 1], [1e6, 2]]]), None)
    np.testing.assert_allclose(found, [0.5, 0.5, 1], rtol=1e-9)


def test_fpgm_scores_a_lone_channel_by_its_norm_and_nothing_without_filters():
    np.testing.assert_allclose(geometric_median.fpgm(slices(output=[[[3, 4]]]), None), [5])
    assert geometric_median.fpgm(slices(scale=[[[1], [2]]]), None) is None


def test_bn_scale_is_the_mean_absolute_scale():
    found = batch_norm.bn_scale(slices(output=[[[7], [7]]], scale=[[[2], [-0.5]], [[1], [1.5]]]), None)
    np.testing.assert_array_equal(found, [1.5, 1])


def test_bn_scale_has_nothing_to_go_by_without_a_normalisation():
    assert batch_norm.bn_scale(slices(output=[[[7], [7]]]), None) is None


def test_taylor_is_the_mean_over_members_of_the_mean_over_batches_of_the_squared_sum():
    given = ChannelSlices(
        group="conv.weight",
        parameters=("conv.weight", "conv.bias"),
        roles=("output", "bias"),
        weights=(np.ones((2, 1)), np.ones((2, 1))),
        gradients=(np.array([[1.0, -3.0], [2.0, 0.0]]), np.array([[0.0, 1.0], [4.0, 4.0]])),
    )
    # channel 0: (1 + 9) / 2 and (0 + 1) / 2; channel 1: (4 + 0) / 2 and (16 + 16) / 2
    np.testing.assert_array_equal(taylor.taylor(given, None), [(5 + 0.5) / 2, (2 + 16) / 2])


def test_taylor_without_gradients_is_an_error_that_names_the_group():
    with pytest.raises(PlanError, match=r"conv\.weight"):
        taylor.taylor(CONV_AND_BN, None)


def test_activation_is_the_mean_over_the_layers_that_read():
    readers = (
        Activity(np.array([1.0, 2.0]), np.array([0.5, 0.0])),
        Activity(np.array([3.0, 0.0]), np.array([0.25, 1.0])),
    )
    given = ChannelSlices("g", ("a",), ("output",), (np.ones((2, 1)),), activity=readers)
    mean_absolute = activation.activation(given, SimpleNamespace(statistic="mean_absolute"))
    apoz = activation.activation(given, SimpleNamespace(statistic="apoz"))
    np.testing.assert_array_equal(mean_absolute, [2, 1])
    np.testing.assert_array_equal(apoz, [1 - 0.375, 0.5])


def test_activation_has_nothing_to_go_by_where_nobody_reads():
    assert activation.activation(CONV_AND_BN, SimpleNamespace(statistic="apoz")) is None


def test_lamp_divides_by_the_squares_of_the_weights_that_are_not_smaller():
    found = lamp.lamp(np.array([[1.0, -2.0], [3.0, 0.0]]), None, NO_CHANCE)
    np.testing.assert_allclose(found, [[1 / 14, 4 / 13], [1, 0]], rtol=1e-15)


def test_lamp_scores_equal_weights_alike_and_a_layer_of_zeros_zero():
    np.testing.assert_allclose(lamp.lamp(np.array([2.0, 1.0, -1.0]), None, NO_CHANCE), [1, 1 / 6, 1 / 6], rtol=1e-15)
    np.testing.assert_array_equal(lamp.lamp(np.zeros((2, 2)), None, NO_CHANCE), np.zeros((2, 2)))


def test_lamp_does_not_depend_on_a_layers_magnitude():
    weight = np.random.default_rng(0).standard_normal((8, 4))
    np.testing.assert_allclose(lamp.lamp(weight, None, NO_CHANCE), lamp.lamp(100 * weight, None, NO_CHANCE), rtol=1e-9)


def test_chance_depends_on_the_seed_and_the_name_alone():
    first, again, other = (chance.seeded(*key).random(4) for key in ((0, "a"), (0, "a"), (0, "b")))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, chance.seeded(1, "a").random(4))


def test_random_scores_are_uniform():
    given = slices(output=[np.zeros((1000, 1))])
    found = chance.channels(given, None)
    assert found.shape == (1000,)
    assert math.isclose(float(found.mean()), 0.5, abs_tol=0.05)
    assert chance.weights(np.zeros((3, 4)), None, chance.seeded(0, "w")).shape == (3, 4)
