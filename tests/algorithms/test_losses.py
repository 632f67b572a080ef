"""The NumPy references of the losses on outputs, against numbers worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from loss_cases import CASES, NOT_ZERO_BETWEEN_EQUALS, ON_OUTPUTS, POOR, reference

from paredown.algorithms.losses import dist, dkd, hard_label, kl, log_softmax, mse, soft_cross_entropy

LABELS = np.array([0])
HALF_AND_QUARTERS = np.array([[math.log(2), 0.0, 0.0]])
"""Logits of the probabilities 1/2, 1/4, 1/4."""


def test_equal_logits_cost_the_logarithm_of_the_number_of_classes():
    assert hard_label(np.zeros((1, 4)), None, LABELS, {}) == pytest.approx(math.log(4))


def test_kl_by_hand():
    # teacher softmax([ln 3, 0]) = (3/4, 1/4), student (1/2, 1/2): 3/4 ln(3/2) + 1/4 ln(1/2)
    teacher, student = np.array([[math.log(3), 0.0]]), np.zeros((1, 2))
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert kl(student, teacher, LABELS, {"temperature": 1.0}) == pytest.approx(expected)


def test_kl_at_temperature_two_softens_and_is_scaled_by_four():
    teacher, student = np.array([[2 * math.log(3), 0.0]]), np.zeros((1, 2))
    expected = 4 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    assert kl(student, teacher, LABELS, {"temperature": 2.0}) == pytest.approx(expected)


def test_mse_by_hand():
    # (1 - 0)^2 = 1 and (2 - 4)^2 = 4, over two logits
    assert mse(np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]]), LABELS, {}) == 2.5


def test_soft_cross_entropy_is_kl_and_the_entropy_of_the_teacher():
    # teacher (3/4, 1/4) at temperature 2, student (1/2, 1/2): every class costs ln 2, times four
    teacher, student = np.array([[2 * math.log(3), 0.0]]), np.zeros((1, 2))
    found = soft_cross_entropy(student, teacher, LABELS, {"temperature": 2.0})
    assert found == pytest.approx(4 * math.log(2))
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert found == pytest.approx(kl(student, teacher, LABELS, {"temperature": 2.0}) + 4 * entropy)


def test_the_parts_of_dkd_by_hand():
    # label 1: teacher 1/4 against 3/4, student 1/3 against 2/3; among the others (2/3, 1/3), student (1/2, 1/2)
    teacher, student, label = HALF_AND_QUARTERS, np.zeros((1, 3)), np.array([1])
    target = 0.25 * math.log(3 / 4) + 0.75 * math.log(9 / 8)
    others = 2 / 3 * math.log(4 / 3) + 1 / 3 * math.log(2 / 3)
    only = {"alpha": 1.0, "beta": 0.0, "temperature": 1.0}
    assert dkd(student, teacher, label, only) == pytest.approx(target)
    assert dkd(student, teacher, label, only | {"alpha": 0.0, "beta": 8.0}) == pytest.approx(8 * others)
    # equal among the others: that part is nothing
    assert dkd(student, teacher, LABELS, only | {"alpha": 0.0, "beta": 1.0}) == pytest.approx(0)


def test_dkd_is_kl_where_beta_is_the_share_of_the_others():
    # KL = TCKD + (1 - p) NCKD, with p the teacher's probability of the label
    student = np.array([[0.3, -1.0, 0.5]])
    options = {"alpha": 1.0, "beta": 0.75, "temperature": 1.0}
    expected = kl(student, HALF_AND_QUARTERS, LABELS, {"temperature": 1.0})
    assert dkd(student, HALF_AND_QUARTERS, np.array([1]), options) == pytest.approx(expected)


def test_dist_is_two_where_all_is_reversed():
    teacher = np.array([[1.0, -1.0], [-1.0, 1.0]])
    by_image, by_class = {"beta": 1.0, "gamma": 0.0}, {"beta": 0.0, "gamma": 1.0}
    for options in (by_image, by_class):
        assert dist(-teacher, teacher, LABELS, options | {"temperature": 1.0}) == pytest.approx(2)
        assert dist(-teacher, teacher, LABELS, options | {"temperature": 2.0}) == pytest.approx(8)


def test_dist_is_one_minus_the_correlation():
    random = np.random.default_rng(0)
    student, teacher = random.normal(0, 1, (2, 4, 5))
    one, other = np.exp(log_softmax(student)), np.exp(log_softmax(teacher))
    images = np.mean([1 - np.corrcoef(one[row], other[row])[0, 1] for row in range(4)])
    classes = np.mean([1 - np.corrcoef(one[:, column], other[:, column])[0, 1] for column in range(5)])
    found = dist(student, teacher, LABELS, {"beta": 2.0, "gamma": 3.0, "temperature": 1.0})
    assert found == pytest.approx(2 * images + 3 * classes, rel=1e-5)


def test_a_batch_of_one_has_nothing_between_images():
    student, teacher = np.array([[1.0, -1.0, 0.0]]), np.array([[0.0, 2.0, 0.0]])
    assert dist(student, teacher, LABELS, {"beta": 0.0, "gamma": 1.0, "temperature": 1.0}) == 0


@pytest.mark.parametrize("case", [case for case in CASES if case.loss in ON_OUTPUTS], ids=str)
def test_a_student_equal_to_its_teacher_costs_nothing(case):
    found = reference(replace(case, student=case.teacher))
    assert (found == pytest.approx(0, abs=1e-12)) == (case.loss not in NOT_ZERO_BETWEEN_EQUALS)


@pytest.mark.parametrize("case", POOR, ids=str)
def test_the_references_are_finite_where_there_is_nothing_to_compare(case):
    assert math.isfinite(reference(case))


def test_great_logits_do_not_overflow():
    assert np.isfinite(log_softmax(np.array([[1e4, -1e4]]))).all()
