"""How wide weights really are, as the evidence says it."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.qparams import weight_qparams
from paredown.engine.effective_bits import effective_bits
from paredown.plan import QuantizationPoint, QuantPlan
from paredown.spec.models import QuantizeWeights


def plan(target: str, *widths: QuantizeWeights) -> QuantPlan:
    weight = np.ones((2, 3), np.float32)
    points = (
        QuantizationPoint(layer=f"layer{index}", port="weight", tensor=weight_qparams(weight, one, target))
        for index, one in enumerate(widths)
    )
    return QuantPlan(mode="static", target=target, points=tuple(points), left_float={})


@pytest.mark.parametrize(
    ("options", "target", "reach", "levels", "bits"),
    [
        ({"bits": 8}, "portable", [-64, 64], 129, 7.01),
        ({"bits": 8}, "vnni", [-127, 127], 255, 7.99),
        ({"bits": 8, "symmetric": False}, "avx2", [0, 127], 128, 7.0),
        ({"bits": 4}, "portable", [-7, 7], 15, 3.91),
        ({"bits": 2}, "portable", [-1, 1], 3, 1.58),
        ({"bits": 1}, "portable", [-1, 1], 2, 1.0),
    ],
)
def test_bits_are_the_logarithm_of_the_integers_that_a_weight_may_take(options, target, reach, levels, bits):
    found = effective_bits(plan(target, QuantizeWeights(**options)))["effective_bits"]
    assert found == {"target": target, "integers": [{"range": reach, "levels": levels, "bits": bits, "layers": 1}]}


def test_the_range_of_most_layers_comes_first_and_no_integers_are_no_evidence():
    eight, four = QuantizeWeights(bits=8), QuantizeWeights(bits=4)
    found = effective_bits(plan("portable", four, eight, eight))["effective_bits"]["integers"]
    assert [(one["range"], one["layers"]) for one in found] == [([-64, 64], 2), ([-7, 7], 1)]
    assert effective_bits(plan("portable")) == {}
