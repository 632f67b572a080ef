"""The weights of losses: constant, or along a line or half a cosine, from the first step of the change to its last."""

from __future__ import annotations

import pytest

from paredown.algorithms.loss_schedules import factor, loss_weights
from paredown.plan import PlannedLoss
from paredown.spec.losses import LossSchedule


def schedule(kind="linear", start=1.0, end=0.0, **more):
    return LossSchedule(kind=kind, start=start, end=end, **more)


def test_a_line_over_the_whole_training_begins_and_ends_where_it_says():
    found = [factor(schedule(), step, epochs=2, steps_per_epoch=3) for step in range(6)]
    assert found == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.0])


def test_half_a_cosine_has_its_middle_in_the_middle():
    found = [factor(schedule("cosine", 0.0, 2.0), step, epochs=1, steps_per_epoch=5) for step in range(5)]
    assert found[0] == 0.0
    assert found[2] == pytest.approx(1.0)
    assert found[4] == pytest.approx(2.0)
    assert found[1] < 0.5


def test_before_and_behind_the_change_the_factor_stays():
    changing = schedule(begin=1, finish=2)
    found = [factor(changing, step, epochs=3, steps_per_epoch=3) for step in range(9)]
    assert found == pytest.approx([1, 1, 1, 1, 0.5, 0, 0, 0, 0])


def test_a_change_within_one_step_does_not_divide_by_zero():
    assert factor(schedule(), 0, epochs=1, steps_per_epoch=1) == 1.0


def test_a_schedule_multiplies_the_weight_and_a_loss_without_one_keeps_its_own():
    terms = (
        PlannedLoss(kind="kl", options={}, weight=0.5, schedule=schedule()),
        PlannedLoss(kind="hard_label", options={}, weight=0.3),
    )
    weights = loss_weights(terms, epochs=1, steps_per_epoch=3)
    assert [weights(step) for step in range(3)] == [(0.5, 0.3), (0.25, 0.3), (0.0, 0.3)]
