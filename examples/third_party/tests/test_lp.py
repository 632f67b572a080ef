"""The plugin's own tests: the public conformance suite, and the formula by hand."""

from __future__ import annotations

import numpy as np
from paredown_example.criterion import lp, lp_weights
from paredown_example.plugin import LpCriterion

from paredown.contracts import ChannelSlices
from paredown.testing import CriterionConformance


class TestLp(CriterionConformance):
    name = "lp"


def test_p_three_by_hand():
    weights = np.array([[1.0, -2.0], [3.0, 0.0]])
    slices = ChannelSlices(group="a.weight", parameters=("a.weight",), roles=("output",), weights=(weights,))
    np.testing.assert_array_equal(lp(slices, LpCriterion(p=3)), [9, 27])
    np.testing.assert_array_equal(lp_weights(weights, LpCriterion(p=3), np.random.default_rng(0)), [[1, 8], [27, 0]])
