"""Scales in a training with fake quantization: they follow the weights and the batches until they are frozen."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.fold import fold_batch_norm
from paredown.algorithms.qat import Schedule, TrainingScales, represented_range
from paredown.algorithms.qparams import activation_qparams, weight_qparams
from paredown.contracts import Fold
from paredown.plan import QuantizationPoint
from paredown.spec.components import MinMaxObserver
from paredown.spec.models import QuantizeActivations, QuantizeWeights

FROM_ZERO_TO_ONE = activation_qparams(0.0, 1.0)
INPUT, OTHER = ("conv", "input", 0), ("next", "input", 0)


@pytest.fixture
def weight():
    return np.random.default_rng(0).standard_normal((3, 2, 1, 1)).astype(np.float32)


def scales(weight, *, momentum=0.5, freeze=10, leaders=None, learned=False):
    weights = QuantizeWeights(bits=4)
    points = (
        QuantizationPoint(layer="conv", port="input", tensor=FROM_ZERO_TO_ONE),
        QuantizationPoint(layer="next", port="input", tensor=FROM_ZERO_TO_ONE),
        QuantizationPoint(layer="conv", port="weight", tensor=weight_qparams(weight, weights, "portable")),
    )
    return TrainingScales(
        points,
        (Fold("conv", "bn"),),
        {"bn": 1e-5},
        leaders or {},
        weights,
        QuantizeActivations(observer=MinMaxObserver()),
        "portable",
        Schedule(every=4, freeze=freeze),
        momentum=momentum,
        learned=learned,
    )


def test_the_range_of_an_activation_is_the_moving_average_of_the_batches(weight):
    found = scales(weight, momentum=0.5)
    assert not found.is_due(1)
    tensor = found.activation(INPUT, 0.0, 3.0)
    assert represented_range(tensor)[1] == pytest.approx(0.5 * 1.0 + 0.5 * 3.0, rel=1e-3)


def test_without_momentum_a_range_only_grows(weight):
    found = scales(weight, momentum=None)
    found.activation(INPUT, 0.2, 3.0)
    assert represented_range(found.activation(INPUT, 0.2, 2.0))[1] == pytest.approx(3.0, rel=1e-3)


def test_ranges_stay_from_the_step_on_at_which_batch_norm_is_frozen(weight):
    found = scales(weight, freeze=5)
    found.is_due(5)
    assert found.freeze_bn == 5
    assert found.activation(INPUT, 0.0, 9.0) == FROM_ZERO_TO_ONE


def test_a_batch_that_is_not_finite_leaves_the_range_as_it_is(weight):
    assert scales(weight).activation(INPUT, 0.0, float("inf")) == FROM_ZERO_TO_ONE


def test_two_points_on_one_tensor_share_a_scale(weight):
    found = scales(weight, leaders={INPUT: INPUT, OTHER: INPUT})
    first = found.activation(INPUT, 0.0, 3.0)
    assert found.activation(OTHER, 0.0, 100.0) == first
    assert found.trained() == {INPUT: first}


def test_the_weights_scales_are_those_of_the_folded_weight(weight):
    random = np.random.default_rng(1)
    state = {
        "conv.weight": weight,
        "bn.weight": random.uniform(0.5, 2.0, 3).astype(np.float32),
        "bn.bias": np.zeros(3, np.float32),
        "bn.running_mean": np.zeros(3, np.float32),
        "bn.running_var": random.uniform(0.5, 2.0, 3).astype(np.float32),
    }
    (point,) = scales(weight).update(0, state)
    folded, _ = fold_batch_norm(
        weight, None, state["bn.weight"], state["bn.bias"], state["bn.running_mean"], state["bn.running_var"], 1e-5
    )
    assert point.tensor == weight_qparams(folded, QuantizeWeights(bits=4), "portable")


def test_weights_get_new_scales_every_few_steps_and_never_where_scales_are_learned(weight):
    assert [step for step in range(9) if scales(weight).is_due(step)] == [0, 4, 8]
    assert not any(scales(weight, learned=True).is_due(step) for step in range(9))
