"""Scales in a training with fake quantization: they follow the weights and the batches until they are frozen."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.fold import fold_batch_norm
from paredown.algorithms.qat import Schedule, TrainingScales, represented_range
from paredown.algorithms.qparams import activation_qparams, weight_qparams
from paredown.contracts import Fold
from paredown.errors import TrainingDiverged
from paredown.plan import QuantizationPoint
from paredown.spec.components import MinMaxObserver
from paredown.spec.models import QuantizeActivations, QuantizeWeights

FROM_ZERO_TO_ONE = activation_qparams(0.0, 1.0)
INPUT, OTHER = ("conv", "input", 0), ("next", "input", 0)


@pytest.fixture
def weight():
    return np.random.default_rng(0).standard_normal((3, 2, 1, 1)).astype(np.float32)


def scales(weight, *, momentum=0.5, freeze=10, leaders=None, learned=False, ranges=None, symmetric=False):
    weights = QuantizeWeights(bits=4)
    start = activation_qparams(0.0, 1.0, symmetric=symmetric)
    points = (
        QuantizationPoint(layer="conv", port="input", tensor=start),
        QuantizationPoint(layer="next", port="input", tensor=start),
        QuantizationPoint(layer="conv", port="weight", tensor=weight_qparams(weight, weights, "portable")),
    )
    return TrainingScales(
        points,
        (Fold("conv", "bn"),),
        {"bn": 1e-5},
        leaders or {},
        weights,
        QuantizeActivations(observer=MinMaxObserver(), symmetric=symmetric),
        "portable",
        Schedule(every=4, freeze=freeze),
        momentum=momentum,
        learned=learned,
        ranges=ranges,
    )


def test_the_range_of_an_activation_is_the_moving_average_of_the_batches(weight):
    found = scales(weight, momentum=0.5)
    assert not found.is_due(1)
    tensor = found.activation(INPUT, 0.0, 3.0)
    assert represented_range(tensor)[1] == pytest.approx(0.5 * 1.0 + 0.5 * 3.0, rel=1e-3)


def test_symmetric_ranges_follow_the_absmax_of_batches(weight):
    found = scales(weight, momentum=0.5, symmetric=True)
    found.activation(INPUT, -3.0, 0.5)
    tensor = found.activation(INPUT, -0.5, 4.0)
    assert represented_range(tensor)[1] == pytest.approx(0.5 * (0.5 * 1.0 + 0.5 * 3.0) + 0.5 * 4.0, rel=1e-3)


def test_without_momentum_a_range_only_grows(weight):
    found = scales(weight, momentum=None)
    found.activation(INPUT, 0.2, 3.0)
    assert represented_range(found.activation(INPUT, 0.2, 2.0))[1] == pytest.approx(3.0, rel=1e-3)


def test_ranges_stay_from_the_step_on_at_which_batch_norm_is_frozen(weight):
    found = scales(weight, freeze=5)
    found.is_due(5)
    assert found.freeze_bn == 5
    assert found.activation(INPUT, 0.0, 9.0) == FROM_ZERO_TO_ONE


@pytest.mark.parametrize("maximum", [float("inf"), float("nan")])
@pytest.mark.parametrize("step", [2, 12])
def test_a_batch_that_is_not_finite_is_an_error_that_says_where(weight, maximum, step):
    found = scales(weight, leaders={OTHER: INPUT})
    found.is_due(step)
    for key in (INPUT, OTHER):
        with pytest.raises(TrainingDiverged) as raised:
            found.activation(key, 0.0, maximum)
        assert raised.value.problems[0].where == f"step {step + 1}, input of {key[0]}"
        assert raised.value.problems[0].remedy


@pytest.mark.parametrize("momentum", [None, 0.9])
def test_the_range_of_an_activation_that_was_zero_in_calibration_starts_with_the_first_batch(weight, momentum):
    found = scales(weight, momentum=momentum, ranges={INPUT: (0.0, 0.0), OTHER: (0.0, 1.0)})
    assert (found.is_silent(INPUT), found.is_silent(OTHER)) == (True, False)
    found.activation(INPUT, 0.0, 0.0)
    assert found.is_silent(INPUT)
    assert INPUT not in found.trained()
    for _ in range(100):
        tensor = found.activation(INPUT, 0.0, 1.5)
    assert not found.is_silent(INPUT)
    assert tensor == activation_qparams(0.0, 1.5) == found.trained()[INPUT]


def test_a_range_of_which_nothing_is_known_starts_even_when_the_others_are_frozen(weight):
    found = scales(weight, freeze=5, ranges={INPUT: (0.0, 0.0)})
    found.is_due(7)
    for maximum in (1.5, 9.0):
        assert found.activation(INPUT, 0.0, maximum) == activation_qparams(0.0, 1.5)


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


def state_of(weight, gamma):
    zeros, ones = np.zeros(3, np.float32), np.ones(3, np.float32)
    norm = {"bn.weight": np.asarray(gamma, np.float32), "bn.bias": zeros, "bn.running_mean": zeros}
    return {"conv.weight": weight, **norm, "bn.running_var": ones}


def learned_scales(weight, gamma):
    """Scales to learn, of a weight as it is folded with these factors."""
    tensor = weight_qparams(weight * np.float32(gamma).reshape(-1, 1, 1, 1), QuantizeWeights(bits=4), "portable")
    points = (QuantizationPoint(layer="conv", port="weight", tensor=tensor),)
    activations, schedule = QuantizeActivations(observer=MinMaxObserver()), Schedule(every=4, freeze=10)
    return TrainingScales(
        points, (Fold("conv", "bn"),), {"bn": 0.0}, {}, QuantizeWeights(bits=4), activations, "portable", schedule,
        momentum=None, learned=True,
    )  # fmt: skip


def test_learning_starts_from_the_weight_itself_where_batch_norm_multiplies_it_with_zero(weight):
    found = learned_scales(weight, [1.0, 0.0, -1e-37])
    assert found.is_due(0)
    (point,) = found.update(0, state_of(weight, [1.0, 0.0, -1e-37]))
    own = weight_qparams(weight, QuantizeWeights(bits=4), "portable").scale
    assert point.tensor.scale == pytest.approx([own[0], own[1], own[2] * 1e-37], rel=1e-5)
    assert not found.is_due(4)


def test_the_learned_scale_of_a_row_of_zeros_waits_for_its_first_numbers(weight):
    later, weight = weight, weight * np.float32([1, 0, 1]).reshape(-1, 1, 1, 1)
    found = learned_scales(weight, [2.0, 2.0, 2.0])
    assert found.update(0, state_of(weight, [2.0, 2.0, 2.0])) == ()
    assert [step for step in range(9) if found.is_due(step)] == [0, 4, 8]
    (point,) = found.update(4, state_of(later * np.float32(9), [2.0, 2.0, 2.0]))
    assert point.tensor.scale[1] == weight_qparams(later * 18, QuantizeWeights(bits=4), "portable").scale[1]
    assert point.tensor.scale[::2] == found.points[0].tensor.scale[::2]
    assert not any(found.is_due(step) for step in range(9))


def test_weights_get_new_scales_every_few_steps_and_never_where_scales_are_learned(weight):
    assert [step for step in range(9) if scales(weight).is_due(step)] == [0, 4, 8]
    assert not any(scales(weight, learned=True).is_due(step) for step in range(9))
