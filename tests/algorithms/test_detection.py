"""Anchor-free detection in NumPy: positions, targets and decoding, against cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.detection import BACKGROUND, IGNORED, Detections, agreement, assign, decode, positions
from paredown.algorithms.losses import fcos
from paredown.algorithms.objects import Objects, pack
from paredown.errors import ModelError

SIZE = (32, 32)
FINE = 64
"""Positions of the finer level: 8 x 8, four pixels apart; 4 x 4 coarser ones follow."""


def labelled(*objects, crowd=()):
    """One image with (class, x1, y1, x2, y2) objects; those whose places `crowd` names are crowds."""
    boxes = np.array([one[1:] for one in objects], np.float32).reshape(-1, 4)
    crowds = np.isin(np.arange(len(objects)), crowd)
    return pack([Objects(boxes, np.array([one[0] for one in objects], np.int64), crowds)], places=4)


def nothing(batch=1, classes=3):
    """Outputs of a detector that is sure of no object."""
    count = FINE + 16
    return [np.full((batch, classes, count), -20.0), np.zeros((batch, 4, count)), np.zeros((batch, count))]


def sure_of(labels, classes=3):
    """Outputs of a detector that has learned its targets."""
    targets = assign(labels, SIZE)
    logits, _, _ = nothing(len(labels), classes)
    for batch, place in np.argwhere(targets.classes >= 0):
        logits[batch, targets.classes[batch, place], place] = 20.0
    shares = np.clip(targets.centerness, 1e-9, 1 - 1e-9)
    return logits, targets.distances, np.where(targets.classes >= 0, np.log(shares / (1 - shares)), -20.0)


def decoded(outputs, **options):
    return decode(tuple(outputs), SIZE, **{"least_score": 0.05, "overlap": 0.6, "most": 100, **options})


def test_positions_are_the_middles_of_squares_of_a_stride():
    where = positions((8, 12))
    assert where.centres[:4].tolist() == [[2, 2], [6, 2], [10, 2], [2, 6]]
    assert where.centres[6:].tolist() == [[4, 4], [12, 4]]
    assert where.strides.tolist() == [4] * 6 + [8] * 2


def test_a_position_learns_the_distances_to_the_edges_of_its_box():
    targets = assign(labelled((2, 6, 6, 16, 16)), SIZE)
    place = 2 * 8 + 2  # the middle of the third square in the third row: (10, 10)
    assert targets.classes[0, place] == 2
    assert targets.distances[0, :, place].tolist() == [4, 4, 6, 6]
    assert targets.centerness[0, place] == pytest.approx(4 / 6)
    assert (targets.classes[0] >= 0).sum() == 4
    assert targets.classes[0, 0] == BACKGROUND


def test_only_positions_near_the_centre_learn_a_box():
    targets = assign(labelled((0, 0, 0, 20, 20)), SIZE)
    near = positions(SIZE).centres[targets.classes[0] == 0]
    assert np.abs(near - 10).max() < 1.5 * 4


def test_a_large_box_is_for_the_coarser_level():
    # The farthest edge is at least 34 pixels from each position of the first, at most 22 from those of the second.
    for edge, is_coarse in ((64, True), (32, False)):
        places = np.flatnonzero(assign(labelled((1, 0, 0, edge, edge)), (64, 64)).classes[0] == 1)
        assert set(places >= 256) == {is_coarse}


def test_of_two_boxes_a_position_learns_the_smaller_one():
    targets = assign(labelled((0, 2, 2, 18, 18), (1, 6, 6, 14, 14)), SIZE)
    assert targets.classes[0, 2 * 8 + 2] == 1


def test_an_image_without_objects_is_background():
    targets = assign(labelled(), SIZE)
    assert (targets.classes == BACKGROUND).all()
    assert not targets.distances.any()


def test_nothing_is_learned_inside_a_crowd_but_the_objects_in_it():
    targets = assign(labelled((0, 0, 0, 32, 16), (1, 4, 4, 12, 12), crowd=(0,)), SIZE)
    assert targets.classes[0, 0] == IGNORED
    assert targets.classes[0, 8 + 1] == 1
    assert targets.classes[0, FINE - 1] == BACKGROUND


def test_a_box_without_an_area_is_nobodys():
    assert (assign(labelled((0, 5, 5, 5, 9)), SIZE).classes == BACKGROUND).all()


def test_what_learned_its_targets_detects_the_objects():
    objects = [(0, 4, 4, 14, 14), (2, 16, 18, 30, 30)]
    (found,) = decoded(sure_of(labelled(*objects)))
    assert sorted(zip(found.classes.tolist(), found.boxes.tolist(), strict=True)) == [
        (label, pytest.approx(box)) for label, *box in objects
    ]
    assert (np.diff(found.scores) <= 0).all()


def test_a_detector_that_is_sure_of_nothing_detects_nothing():
    (found,) = decoded(nothing())
    assert found.boxes.shape == (0, 4)


def test_of_equal_scores_the_earlier_class_comes_first_and_other_classes_survive():
    outputs = nothing()
    outputs[0][0, :, 9] = [3.0, -20.0, 3.0]
    outputs[1][0, :, 9] = 4.0
    (found,) = decoded(outputs)
    assert found.classes.tolist() == [0, 2]


def test_the_less_sure_of_two_overlapping_boxes_of_a_class_goes():
    outputs = nothing()
    outputs[0][0, 1, 9:11] = [3.0, 4.0]
    outputs[1][0, :, 9:11] = 10.0
    (found,) = decoded(outputs)
    assert len(found.scores) == 1
    assert len(decoded(outputs, overlap=0.9)[0].scores) == 2
    assert found.scores[0] == pytest.approx(np.sqrt(0.5 / (1 + np.exp(-4))))


def test_boxes_end_with_the_image_and_only_the_surest_are_kept():
    outputs = nothing()
    outputs[0][0, 1], outputs[1][:] = 3.0, 100.0
    (found,) = decoded(outputs, overlap=1.0, most=5)
    assert found.boxes.tolist() == [[0, 0, 32, 32]] * 5


def test_outputs_of_another_network_are_refused():
    logits, distances, centerness = nothing()
    for wrong in (logits, (logits, distances), (logits[..., :-1], distances, centerness), (centerness,) * 3):
        with pytest.raises(ModelError, match="not those of a detector"):
            decode(wrong, SIZE, least_score=0.1, overlap=0.6, most=9)


def test_agreement_counts_each_detection_once():
    one = Detections(np.array([[0, 0, 10, 10], [0, 0, 10, 9.0]]), np.array([1, 1]), np.array([0.9, 0.8]))
    other = Detections(np.array([[0, 0, 10, 10.0]]), np.array([1]), np.array([0.7]))
    no_class = Detections(other.boxes, np.array([2]), other.scores)
    empty = Detections(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0))
    assert agreement([one], [one]) == 1
    assert agreement([one], [other]) == pytest.approx(2 / 3)
    assert agreement([one], [no_class]) == 0
    assert agreement([one, empty], [empty, empty]) == 0
    assert agreement([empty], [empty]) is None


def test_the_loss_of_learned_targets_is_the_entropy_of_centerness():
    labels = labelled((1, 4, 4, 14, 14))
    targets = assign(labels, SIZE)
    own = targets.centerness[targets.classes >= 0]
    entropy = -(own * np.log(own) + (1 - own) * np.log(1 - own)).mean()
    assert fcos(sure_of(labels), None, labels, {"image_size": SIZE}) == pytest.approx(entropy, abs=1e-6)


def test_the_focal_loss_of_an_image_without_objects_by_hand():
    # 3/4 * (1/2)^2 * ln 2 for each of 80 positions and 3 classes
    student = (np.zeros((1, 3, 80)), np.zeros((1, 4, 80)), np.zeros((1, 80)))
    expected = 240 * 0.75 * 0.25 * np.log(2)
    assert fcos(student, None, labelled(), {"image_size": SIZE}) == pytest.approx(expected)


def test_a_box_of_no_area_costs_one():
    labels = labelled((1, 4, 4, 14, 14))
    logits, distances, centerness = sure_of(labels)
    whole = fcos((logits, distances, centerness), None, labels, {"image_size": SIZE})
    apart = fcos((logits, np.zeros_like(distances), centerness), None, labels, {"image_size": SIZE})
    assert apart - whole == pytest.approx(1.0)
