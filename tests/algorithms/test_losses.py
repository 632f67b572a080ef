"""The NumPy references of the training losses, against numbers worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from paredown.algorithms.losses import hard_label, kl, log_softmax

LABELS = np.array([0])


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


def test_a_student_equal_to_its_teacher_costs_nothing():
    logits = np.array([[1.0, -2.0, 3.0]])
    assert kl(logits, logits, LABELS, {"temperature": 4.0}) == 0


def test_great_logits_do_not_overflow():
    assert np.isfinite(log_softmax(np.array([[1e4, -1e4]]))).all()
