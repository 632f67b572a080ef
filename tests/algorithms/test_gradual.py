"""Masks during training."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.criteria.chance import weights as by_chance
from paredown.algorithms.criteria.norms import absolute
from paredown.algorithms.gradual import GradualMasks, HeldMasks, cubic
from paredown.errors import PlanError

WEIGHTS = {"a.weight": np.random.default_rng(0).standard_normal((10, 10)).astype(np.float32), "a.bias": np.ones(10)}


def gradual(**changes) -> GradualMasks:
    options = {"begin": 0, "end": 40, "every": 10, "ratio": 0.8, "scope": "local"} | changes
    return GradualMasks(parameters=("a.weight",), criterion=options.pop("criterion", absolute), options=None, **options)


def sparsity(masks) -> float:
    return float((~masks["a.weight"]).mean())


def test_the_cubic_schedule_by_hand():
    assert [cubic(t) for t in (-1, 0, 0.5, 1, 2)] == [0, 0, 0.875, 1, 1]


def test_masks_are_due_every_so_many_steps_and_at_the_end():
    masking = gradual(begin=5, end=28)
    assert [step for step in range(60) if masking.is_due(step)] == [15, 25, 28]


def test_sparsity_follows_the_schedule_and_ends_exactly():
    masking = gradual()
    found = [sparsity(masking.update(step, WEIGHTS)) for step in (10, 20, 30, 40)]
    # 0.8 * (1 - 0.75^3), 0.8 * (1 - 0.5^3), 0.8 * (1 - 0.25^3) of 100 weights, rounded down
    assert found == [0.46, 0.7, 0.78, 0.8]


def test_after_the_end_nothing_changes():
    masking = gradual()
    final = masking.update(40, WEIGHTS)["a.weight"].copy()
    assert not any(masking.is_due(step) for step in range(41, 200))
    np.testing.assert_array_equal(masking.update(50, {"a.weight": -WEIGHTS["a.weight"][::-1]})["a.weight"], final)


@pytest.mark.parametrize("criterion", [absolute, by_chance])
def test_what_is_masked_once_stays_masked(criterion):
    masking, generator = gradual(criterion=criterion), np.random.default_rng(1)
    gone = np.zeros((10, 10), dtype=bool)
    for step in (10, 20, 30, 40):
        mask = masking.update(step, {"a.weight": generator.standard_normal((10, 10))})["a.weight"]
        assert not (mask & gone).any()
        gone = ~mask
    assert gone.mean() == 0.8


def test_masks_of_earlier_steps_hold_and_count():
    held = {"a.weight": np.random.default_rng(2).random((10, 10)) > 0.3, "b.weight": np.array([True, False])}
    masking = gradual(held=held, initial={"a.weight": np.ones((10, 10), dtype=bool)})
    np.testing.assert_array_equal(masking.masks()["a.weight"], held["a.weight"])
    final = masking.update(40, WEIGHTS)
    assert sparsity(final) == 0.8
    assert not (final["a.weight"] & ~held["a.weight"]).any()
    np.testing.assert_array_equal(final["b.weight"], held["b.weight"])


def test_a_weight_with_a_ratio_of_its_own_grows_to_it():
    masking = gradual(overrides={"a.weight": 0.4})
    assert sparsity(masking.update(20, WEIGHTS)) == 0.35
    assert sparsity(masking.update(40, WEIGHTS)) == 0.4


def test_all_at_once_where_beginning_and_end_are_one():
    masking = gradual(begin=7, end=7)
    assert masking.is_due(7)
    assert sparsity(masking.update(7, WEIGHTS)) == 0.8


def test_an_end_before_the_beginning_is_an_error():
    with pytest.raises(PlanError, match="ends before it begins"):
        gradual(begin=8, end=7)


def test_a_weight_that_is_not_there_is_an_error_that_names_it():
    with pytest.raises(PlanError, match=r"a\.weight"):
        gradual().update(10, {"b.weight": np.ones(3)})


def test_held_masks_never_change():
    held = {"a.weight": np.array([True, False])}
    masking = HeldMasks(held)
    assert not any(masking.is_due(step) for step in range(10))
    assert masking.update(3, {"a.weight": np.ones(2)}) == masking.masks() == held
