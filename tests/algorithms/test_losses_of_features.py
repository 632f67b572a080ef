"""The NumPy references of the losses on features, against numbers worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from loss_cases import CASES, ON_FEATURES, OPTIONS, reference

from paredown.algorithms.detection import decode, guides, imitation, position_weights
from paredown.algorithms.losses import attention, box_imitation, cwd, feature_l2, fsp, rkd, similarity
from paredown.algorithms.losses.pooling import average_pool
from paredown.errors import ModelError

DISTANCE = {"distance": 1.0, "angle": 0.0}
ANGLE = {"distance": 0.0, "angle": 1.0}


def maps(*rows):
    """One map of one image: a row of positions for each channel, [1, channels, 1, positions]."""
    return np.array(rows, dtype=float)[None, :, None, :]


def test_hints_are_the_mean_squared_difference():
    assert feature_l2([maps([1, 2])], [maps([0, 4])], None, {}) == 2.5


def test_a_loss_is_the_mean_over_the_pairs_of_taps():
    one, other = maps([1, 2]), maps([0, 4])
    assert feature_l2([one, one], [other, one], None, {}) == 1.25


def test_the_larger_map_is_pooled_to_the_smaller():
    # 1, 3, 5 in two windows that overlap: (1 + 3) / 2 and (3 + 5) / 2
    assert feature_l2([maps([1, 3, 5])], [maps([2, 4])], None, {}) == 0
    assert feature_l2([maps([2, 4])], [maps([1, 3, 5])], None, {}) == 0


def test_a_taller_and_a_wider_map_meet_at_the_smaller_of_both():
    tall, wide = np.array([1.0, 3.0]).reshape(1, 1, 2, 1), np.array([0.0, 4.0]).reshape(1, 1, 1, 2)
    assert feature_l2([tall], [wide], None, {}) == 0


@pytest.mark.parametrize(
    ("length", "places", "windows"),
    [
        (4, 2, [(0, 2), (2, 4)]),
        (3, 2, [(0, 2), (1, 3)]),
        (5, 3, [(0, 2), (1, 4), (3, 5)]),
        (3, 3, [(0, 1), (1, 2), (2, 3)]),
    ],
)
def test_the_windows_of_pooling(length, places, windows):
    values = np.arange(length, dtype=float) ** 2
    expected = [values[start:end].mean() for start, end in windows]
    np.testing.assert_allclose(average_pool(values[None], (places,))[0], expected)


def test_attention_compares_where_a_map_is_active_and_not_how_much():
    # all on the first position against all on the second: (1, 0) - (0, 1)
    assert attention([maps([2, 0], [1, 0])], [maps([0, 3])], None, {}) == pytest.approx(2)
    assert attention([maps([2, 0], [1, 0])], [maps([7, 0])], None, {}) == pytest.approx(0, abs=1e-9)


def test_cwd_by_hand():
    # one channel as in kl, (3/4, 1/4) against (1/2, 1/2); the other equal; times T^2
    student, teacher = maps([0, 0], [0, 0]), maps([2 * math.log(3), 0], [1, 1])
    expected = 4 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5)) / 2
    assert cwd([student], [teacher], None, {"temperature": 2.0}) == pytest.approx(expected)


def test_a_flow_is_the_mean_product_of_the_channels_of_two_taps():
    # (1 * 3 + 2 * 4) / 2 = 5.5 in the student, nothing in the teacher
    assert fsp([maps([1, 2]), maps([3, 4])], [maps([0, 0]), maps([3, 4])], None, {}) == 5.5**2
    # the first tap is pooled to the second: (1 + 3) / 2 * 5
    assert fsp([maps([1, 3]), maps([5])], [maps([0]), maps([1])], None, {}) == 100


def test_imitation_weighs_positions_by_what_the_teacher_detects():
    # One detection, sqrt(sigmoid(0) * sigmoid(0)) = 1/2 sure, from 0 to 4 in both axes of an image of 8 x 8: the first
    # of four cells. With background b it weighs b + (1 - b) / 2, the three others b.
    logits = np.full((1, 2, 5), -50.0)
    logits[0, 1, 0] = 0
    outputs = (logits, np.full((1, 4, 5), 2.0), np.zeros((1, 5)))
    ones, other = np.zeros((1, 1, 2, 2)), np.array([[[[2.0, 1.0], [1.0, 1.0]]]])
    options = {"least_score": 0.3, "background": 0.0, "image_size": [8, 8]}
    assert box_imitation([ones], ([other], outputs), None, options) == pytest.approx(4)
    half = options | {"background": 0.5}
    assert box_imitation([ones], ([other], outputs), None, half) == pytest.approx((0.75 * 4 + 3 * 0.5) / 2.25)
    assert box_imitation([ones], ([other], outputs), None, options | {"background": 1.0}) == 7 / 4
    assert box_imitation([ones], ([other], outputs), None, options | {"least_score": 0.6}) == 0


def test_the_teachers_outputs_are_decoded_once_for_all_taps(monkeypatch):
    calls = []
    monkeypatch.setattr(imitation, "decode", lambda *given, **options: calls.append(given) or decode(*given, **options))
    outputs = (np.zeros((1, 2, 5)), np.full((1, 4, 5), 2.0), np.zeros((1, 5)))
    taps = [np.ones((1, 3, 2, 2)), np.ones((1, 3, 4, 4))]
    options = {"least_score": 0.3, "background": 0.0, "image_size": [8, 8]}
    assert box_imitation(taps, (taps, outputs), None, options) == 0
    assert len(calls) == 1


def test_a_detection_smaller_than_a_cell_still_weighs():
    outputs = (np.full((1, 1, 5), 9.0), np.full((1, 4, 5), 0.1), np.full((1, 5), 9.0))
    weights = position_weights(guides(outputs, (8, 8), 0.5), (8, 8), (1, 2), 0.2)
    assert (weights > 0.9).all()
    empty = (np.full((1, 1, 5), -9.0), *outputs[1:])
    assert position_weights(guides(empty, (8, 8), 0.5), (8, 8), (1, 2), 0.2) == pytest.approx(0.2)


def test_cells_of_a_map_are_as_wide_as_its_stride_where_the_last_one_reaches_beyond_the_image():
    # (30, 33) pixels at strides 4 and 8: 8 x 9 and 4 x 5 positions. One detection around the second position of the
    # first row at stride 8, (12, 4), from 8.5 to 15.5 and 0.5 to 7.5: within that cell, and within four at stride 4.
    logits, distances = np.full((1, 1, 92), -50.0), np.full((1, 4, 92), 3.5)
    logits[0, 0, 72 + 1] = 50
    outputs = (logits, distances, np.full((1, 92), 50.0))
    for size, touched in (((4, 5), np.s_[:1, 1:2]), ((8, 9), np.s_[:2, 2:4])):
        expected = np.zeros(size)
        expected[touched] = 1
        weights = position_weights(guides(outputs, (30, 33), 0.5), (30, 33), size, 0.0)
        np.testing.assert_allclose(weights[0], expected)


def test_similarity_by_hand():
    # rows (1, 0) and (0, 1) for images that have nothing in common, (r, r) with r^2 = 1/2 for equal ones
    apart, equal = np.eye(2), np.ones((2, 3))
    expected = ((1 - math.sqrt(0.5)) ** 2 + 0.5) / 2
    assert similarity([apart], [equal], None, {}) == pytest.approx(expected)


def test_relations_by_hand():
    # three images in a line: distances 1, 1, 2 over their mean are 3/4, 3/4, 3/2, cosines 1, -1, 1;
    # a triangle of equal sides: distances 1, cosines 1/2. Huber is e^2 / 2 up to 1, then |e| - 1/2
    line = np.array([[0.0], [1.0], [2.0]])
    triangle = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]])
    assert rkd([line], [triangle], None, DISTANCE) == pytest.approx((2 * 0.25**2 / 2 + 0.5**2 / 2) / 3, rel=1e-5)
    assert rkd([line], [triangle], None, ANGLE) == pytest.approx((2 * 0.5**2 / 2 + (1.5 - 0.5)) / 3, rel=1e-5)


def test_relations_do_not_depend_on_size_or_place():
    random = np.random.default_rng(0)
    student, teacher = random.normal(0, 1, (2, 5, 3))
    options = {"distance": 1.0, "angle": 2.0}
    expected = rkd([student], [teacher], None, options)
    assert rkd([7 * student + 3], [teacher / 5], None, options) == pytest.approx(expected, rel=1e-6)


def test_images_that_are_missing_leave_no_relations():
    student, teacher = np.random.default_rng(0).normal(0, 1, (2, 2, 3))
    assert rkd([student[:1]], [teacher[:1]], None, {"distance": 1.0, "angle": 2.0}) == 0
    assert rkd([student], [teacher], None, ANGLE) == 0
    assert similarity([student[:1]], [teacher[:1]], None, {}) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("case", [case for case in CASES if case.loss in ON_FEATURES], ids=str)
def test_a_student_equal_to_its_teacher_costs_nothing(case):
    assert reference(replace(case, student=case.teacher)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("loss", ["feature_l2", "cwd", "fsp", "box_imitation"])
def test_other_channels_are_refused_where_channels_are_compared(loss):
    student, teacher = [np.zeros((2, 3, 2, 2))] * 2, [np.zeros((2, 4, 2, 2))] * 2
    with pytest.raises(ModelError, match="compares channel by channel") as caught:
        reference(replace(CASES[0], loss=loss, student=student, teacher=teacher, options=OPTIONS[loss]))
    assert caught.value.problems[0].value == "3 and 4"


@pytest.mark.parametrize("loss", ["attention", "cwd", "box_imitation"])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1, 1)])
def test_one_position_is_refused_where_positions_are_compared(loss, shape):
    values = [np.zeros(shape)]
    with pytest.raises(ModelError, match="compares the positions of maps"):
        reference(replace(CASES[0], loss=loss, student=values, teacher=values, options=OPTIONS[loss]))


@pytest.mark.parametrize("loss", ON_FEATURES)
def test_maps_without_a_partner_are_refused(loss):
    values = np.zeros((2, 3, 2, 2))
    with pytest.raises(ModelError, match="not given the maps"):
        reference(replace(CASES[0], loss=loss, student=[values] * 2, teacher=[values], options=OPTIONS[loss]))


def test_one_tap_has_no_flow():
    with pytest.raises(ModelError, match="not given the maps") as caught:
        fsp([maps([1])], [maps([1])], None, {})
    assert caught.value.problems[0].expected == "equal numbers, 2 or more"


def test_a_map_and_a_vector_are_refused():
    with pytest.raises(ModelError, match="cannot be compared"):
        feature_l2([np.zeros((2, 3))], [np.zeros((2, 3, 2, 2))], None, {})
