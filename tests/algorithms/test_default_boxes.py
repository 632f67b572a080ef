"""Detection with default boxes in NumPy: the boxes, their targets, the loss and decoding, against cases by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.detection import (
    BACKGROUND,
    IGNORED,
    assign_boxes,
    decode,
    default_boxes,
    hard_negatives,
)
from paredown.algorithms.detection.offsets import boxes_of, offsets_of
from paredown.algorithms.losses import detection, ssd
from paredown.algorithms.objects import Objects, pack
from paredown.errors import ModelError

SIZE = (32, 48)
COUNT = 6 * (2 * 3 + 1 * 2 + 4)
"""Boxes of such an image: six for each cell of 2 x 3, of 1 x 2, and of four levels of one cell."""


def labelled(*objects, crowd=()):
    """One image with (class, x1, y1, x2, y2) objects; those whose places `crowd` names are crowds."""
    boxes = np.array([one[1:] for one in objects], np.float32).reshape(-1, 4)
    crowds = np.isin(np.arange(len(objects)), crowd)
    return pack([Objects(boxes, np.array([one[0] for one in objects], np.int64), crowds)], places=4)


def sure_of(labels, classes=3):
    """Outputs of a detector that has learned its targets."""
    targets = assign_boxes(labels, SIZE)
    logits = np.zeros((len(labels), 1 + classes, COUNT))
    np.put_along_axis(logits, np.maximum(targets.classes + 1, 0)[:, None], 20.0, axis=1)
    return logits, targets.offsets


def decoded(outputs, **options):
    return decode(outputs, SIZE, **{"least_score": 0.05, "overlap": 0.6, "most": 100, **options})


def test_the_boxes_of_a_cell_share_its_middle_and_their_sides_are_shares_of_the_images():
    boxes = default_boxes((20, 10))  # two rows and one column on the finest level, one cell on each other
    assert boxes.shape == (6 * (2 + 5), 4)
    assert boxes[0] == pytest.approx([4, 3, 6, 7])  # a fifth of either side, around (5, 5)
    assert boxes[6] == pytest.approx([4, 13, 6, 17])
    sides = boxes[:6, 2:] - boxes[:6, :2]
    assert sides[1] == pytest.approx(np.sqrt(0.2 * 0.35) * np.array([10, 20]))
    assert sides[2] == pytest.approx([2 * np.sqrt(2), 4 / np.sqrt(2)])
    assert sides[5] == pytest.approx([2 / np.sqrt(3), 4 * np.sqrt(3)])


def test_no_box_is_larger_than_the_image():
    sides = default_boxes(SIZE)[:, 2:] - default_boxes(SIZE)[:, :2]
    assert (sides <= np.array([48, 32]) + 1e-9).all()
    assert len(sides) == COUNT


def test_offsets_count_in_sides_of_the_default_box_and_in_logarithms():
    default, box = np.array([0.0, 0, 10, 10]), np.array([1.0, 2, 11, 22])
    assert offsets_of(box, default) == pytest.approx([1, 7, 0, 5 * np.log(2)])
    assert boxes_of(offsets_of(box, default), default) == pytest.approx(box)
    assert np.isfinite(boxes_of(np.full(4, 1e9), default)).all()


def test_a_default_box_learns_the_object_that_it_overlaps_by_half():
    default = default_boxes(SIZE)[1]
    targets = assign_boxes(labelled((2, *default)), SIZE)
    assert targets.classes[0, 1] == 2
    assert np.abs(targets.offsets[0, :, 1]).max() < 1e-5


def test_an_object_as_large_as_the_image_is_for_the_boxes_of_half_its_area():
    # Of scale 0.65 the larger square; of 0.8 both squares and the flatter boxes; of 0.95 all six.
    targets = assign_boxes(labelled((1, 0, 0, 48, 32)), SIZE)
    assert np.flatnonzero(targets.classes[0] >= 0).tolist() == [
        COUNT - 17,
        *range(COUNT - 12, COUNT - 8),
        *range(COUNT - 6, COUNT),
    ]


def test_an_object_that_overlaps_no_box_by_half_has_the_one_that_it_overlaps_most():
    targets = assign_boxes(labelled((1, 20, 10, 22, 12)), SIZE)
    assert (targets.classes >= 0).sum() == 1


def test_two_objects_at_one_place_have_a_box_each():
    targets = assign_boxes(labelled((0, 20, 10, 22, 12), (1, 20, 10, 22, 12)), SIZE)
    assert sorted(targets.classes[targets.classes >= 0].tolist()) == [0, 1]


def test_an_image_without_objects_is_background():
    for labels in (labelled(), labelled((0, 5, 5, 5, 9))):
        targets = assign_boxes(labels, SIZE)
        assert (targets.classes == BACKGROUND).all()
        assert not targets.offsets.any()


def test_nothing_is_learned_inside_a_crowd_but_the_objects_in_it():
    inner = default_boxes(SIZE)[0]
    targets = assign_boxes(labelled((0, 0, 0, 24, 32), (1, *inner), crowd=(0,)), SIZE)
    assert targets.classes[0, 0] == 1
    assert targets.classes[0, 5] == IGNORED
    assert targets.classes[0, 12] == BACKGROUND  # in the third column


def test_of_the_boxes_without_an_object_the_three_hardest_for_each_with_one_are_learned():
    classes = np.array([[4, BACKGROUND, BACKGROUND, IGNORED, BACKGROUND, BACKGROUND], [BACKGROUND] * 6])
    entropy = np.array([[9.0, 1, 3, 8, 1, 2], [5.0] * 6])
    chosen = hard_negatives(entropy, classes)
    assert np.flatnonzero(chosen[0]).tolist() == [1, 2, 5]  # of the equal ones the first
    assert not chosen[1].any()


def test_what_learned_its_targets_detects_the_objects():
    objects = [(0, 4, 4, 14, 14), (2, 26, 8, 44, 30)]
    (found,) = decoded(sure_of(labelled(*objects)))
    assert sorted(zip(found.classes.tolist(), found.boxes.tolist(), strict=True)) == [
        (label, pytest.approx(box, abs=1e-4)) for label, *box in objects
    ]
    assert found.scores == pytest.approx([1, 1], abs=1e-6)


def test_the_background_is_no_detection_and_boxes_end_with_the_image():
    logits, offsets = sure_of(labelled())
    assert not len(decoded((logits, offsets))[0].scores)
    logits[0, 2, 0], offsets[0, :, 0] = 40.0, [0, 0, 50, 50]
    (found,) = decoded((logits, offsets))
    assert found.boxes.tolist() == [[0, 0, 48, 32]]
    assert found.classes.tolist() == [1]


def test_outputs_for_other_default_boxes_are_refused_by_decoding_and_by_the_loss():
    logits, offsets = sure_of(labelled())
    for wrong in ((logits[..., :-1], offsets[..., :-1]), (logits, logits[:, :3]), (logits[:, :1], offsets)):
        with pytest.raises(ModelError, match="default boxes"):
            decoded(wrong)
        with pytest.raises(ModelError, match="default boxes"):
            detection(wrong, None, labelled(), {"image_size": SIZE})


def test_the_loss_of_learned_targets_is_nothing():
    labels = labelled((1, 4, 4, 14, 14))
    assert ssd(sure_of(labels), None, labels, {"image_size": SIZE}) == pytest.approx(0, abs=1e-6)


def test_the_loss_of_an_undecided_detector_by_hand():
    # Each box with an object costs ln 4, and so do three without; offsets of 3 cost 5/2, four for each box.
    labels = labelled((1, 4, 4, 14, 14))
    _, offsets = sure_of(labels)
    undecided = np.zeros((1, 4, COUNT))
    found = ssd((undecided, offsets + 3), None, labels, {"image_size": SIZE})
    assert found == pytest.approx(4 * np.log(4) + 4 * 2.5)
    assert ssd((undecided, offsets), None, labelled(), {"image_size": SIZE}) == 0
