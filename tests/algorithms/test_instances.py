"""Masks of prototypes in NumPy: what is learned, and what is found, against cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.detection import (
    Detections,
    Instances,
    assign,
    assign_masks,
    decode_instances,
    mask_agreement,
    mask_overlap,
    prototype_size,
)
from paredown.algorithms.detection.mask_targets import MOST_MASKS
from paredown.algorithms.losses import fcos, fcos_mask, mask_entropy
from paredown.algorithms.objects import Objects, pack
from paredown.errors import ModelError

SIZE = (32, 32)
POSITIONS = 80
OPTIONS = {"image_size": SIZE}


def labelled(*objects, size=SIZE, crowd=False):
    """One image with (class, x1, y1, x2, y2) objects, whose masks are the left halves of their boxes."""
    boxes = np.array([one[1:] for one in objects], np.float32).reshape(-1, 4)
    masks = np.zeros((len(objects), *size), np.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int), strict=True):
        mask[top:bottom, left : (left + right) // 2] = 1
    classes = np.array([one[0] for one in objects], np.int64)
    return pack([Objects(boxes, classes, np.full(len(objects), crowd), masks)], 40, size)


def targets_of(labels, size=SIZE):
    return assign_masks(labels, assign(labels, size))


def sure_of(labels):
    """Outputs of a detector that has learned boxes and masks; each class has a prototype of its own."""
    targets = assign(labels, SIZE)
    logits = np.where(targets.classes[:, None] == np.arange(3)[:, None], 20.0, -20.0)
    prototypes = np.full((1, 3, 16, 16), -20.0)
    for label, mask in zip(labels["classes"][0], labels["masks"][0], strict=True):
        prototypes[0, label][mask[::2, ::2] == 1] = 20.0
    coefficients = (targets.classes[:, None] == np.arange(3)[:, None]).astype(np.float64)
    return logits, targets.distances, np.where(targets.classes >= 0, 20.0, -20.0), coefficients, prototypes


def decoded(outputs, **options):
    return list(decode_instances(tuple(outputs), SIZE, **{"least_score": 0.05, "overlap": 0.6, "most": 100, **options}))


@pytest.mark.parametrize(("size", "cells"), [((64, 64), (32, 32)), ((30, 33), (16, 18)), ((4, 8), (2, 4))])
def test_prototypes_are_twice_as_large_as_the_finer_level(size, cells):
    assert prototype_size(size) == cells


def test_a_position_learns_the_mask_of_its_object_within_its_box():
    labels = labelled((2, 6, 6, 16, 16))
    wanted, targets = targets_of(labels), assign(labels, SIZE)
    count = int((targets.classes >= 0).sum())
    assert wanted.chosen.shape == (1, POSITIONS, count)
    assert (wanted.chosen.sum(axis=1) == 1).all()
    assert set(wanted.chosen[0].argmax(axis=0)) == set(np.flatnonzero(targets.classes[0] == 2))
    masks, weights = (values.reshape(count, 16, 16) for values in (wanted.masks[0], wanted.weights[0]))
    inside = np.zeros((16, 16))
    inside[3:8, 3:8] = 1
    for mask, weight in zip(masks, weights, strict=True):
        np.testing.assert_allclose(weight, inside / 25 / count)
        # Columns 6 to 10 of the pixels: three columns of cells, the last of them half covered.
        assert np.flatnonzero(mask.any(axis=0)).tolist() == [3, 4, 5]
        assert np.flatnonzero(mask.any(axis=1)).tolist() == [3, 4, 5, 6, 7]


def test_a_cell_belongs_to_an_object_that_covers_half_of_it():
    labels = labelled((0, 6, 6, 16, 16))
    labels["masks"][0, 0, ::2, 10] = 0  # of the last column of cells a quarter is left
    mask = targets_of(labels).masks[0, 0].reshape(16, 16)
    assert np.flatnonzero(mask.any(axis=0)).tolist() == [3, 4]


def test_every_object_has_its_turn_before_any_has_a_second_one():
    # Nine objects of nine positions or fewer are more than there is room for.
    places = [(x, y) for y in (0, 11, 22) for x in (0, 11, 22)]
    labels = labelled(*((0, x, y, x + 10, y + 10) for x, y in places))
    targets, wanted = assign(labels, SIZE), targets_of(labels)
    own = targets.objects[0][wanted.chosen[0].argmax(axis=0)]
    assert wanted.chosen.shape[2] <= MOST_MASKS
    assert sorted(own[:9]) == list(range(9))
    for place in range(9):
        sure = targets.centerness[0][wanted.chosen[0].argmax(axis=0)][own == place]
        assert (np.diff(sure) <= 0).all()


def test_no_more_than_so_many_masks_of_an_image_are_learned():
    labels = labelled(*((0, x, y, x + 12, y + 12) for y in range(0, 60, 12) for x in range(0, 60, 12)), size=(64, 64))
    wanted = targets_of(labels, (64, 64))
    assert (assign(labels, (64, 64)).classes >= 0).sum() > MOST_MASKS
    assert wanted.chosen.shape[2] == MOST_MASKS
    assert wanted.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("labels", [labelled(), labelled((0, 4, 4, 20, 20), crowd=True)], ids=["no object", "a crowd"])
def test_where_no_object_is_no_mask_is_learned(labels):
    wanted = targets_of(labels)
    assert not wanted.chosen.any()
    assert not wanted.weights.any()
    outputs = (np.zeros((1, 3, POSITIONS)), np.zeros((1, 4, POSITIONS)), np.zeros((1, POSITIONS)))
    masks = (np.ones((1, 2, POSITIONS)), np.ones((1, 2, 16, 16)))
    assert fcos_mask((*outputs, *masks), None, labels, OPTIONS) == fcos(outputs, None, labels, OPTIONS)


def test_the_loss_of_masks_by_hand():
    labels = labelled((1, 4, 4, 20, 20), (0, 20, 20, 32, 32))
    undecided = (np.zeros((1, 3, POSITIONS)), np.ones((1, 3, 16, 16)))
    assert mask_entropy(*undecided, labels, OPTIONS) == pytest.approx(np.log(2))
    learned = sure_of(labels)
    assert mask_entropy(*learned[3:], labels, OPTIONS) == pytest.approx(0, abs=1e-8)
    wrong = (learned[3], -learned[4])
    assert mask_entropy(*wrong, labels, OPTIONS) == pytest.approx(20)
    assert fcos_mask(learned, None, labels, OPTIONS) == pytest.approx(fcos(learned[:3], None, labels, OPTIONS))


def test_what_learned_its_targets_finds_the_objects():
    objects = [(0, 4, 4, 16, 16), (2, 16, 18, 32, 30)]
    labels = labelled(*objects)
    (found,) = decoded(sure_of(labels))
    assert sorted(found.detections.classes.tolist()) == [0, 2]
    for label, mask in zip(found.detections.classes, found.masks, strict=True):
        place = [one[0] for one in objects].index(label)
        np.testing.assert_array_equal(mask, labels["masks"][0, place] == 1)


def test_a_mask_ends_with_its_box_and_an_empty_one_is_no_object():
    labels = labelled((0, 4, 4, 16, 16))
    outputs = sure_of(labels)
    (whole,) = decoded((*outputs[:4], np.full((1, 3, 16, 16), 20.0)))
    rows, columns = np.nonzero(whole.masks[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 15, 4, 15)
    assert whole.masks.sum() == 144
    (nothing,) = decoded((*outputs[:4], np.full((1, 3, 16, 16), -20.0)))
    assert nothing.masks.shape == (0, *SIZE)
    assert nothing.detections.boxes.shape == (0, 4)


def test_images_that_end_within_a_cell_have_masks_of_their_size():
    prototypes = np.zeros((2, 1, *prototype_size((30, 33))))
    count = 8 * 9 + 4 * 5
    outputs = (np.zeros((2, 3, count)), np.full((2, 4, count), 9.0), np.zeros((2, count)), np.ones((2, 1, count)))
    found = list(decode_instances((*outputs, prototypes + 1), (30, 33), least_score=0.1, overlap=0.6, most=5))
    assert [one.masks.shape for one in found] == [(5, 30, 33)] * 2


def test_outputs_of_another_network_are_refused():
    outputs = sure_of(labelled((0, 4, 4, 16, 16)))
    few = outputs[3][:, :2]
    for wrong in (outputs[:3], outputs[0], (*outputs[:3], few, outputs[4]), (*outputs[:4], outputs[4][..., :8])):
        with pytest.raises(ModelError, match="not those of a detector with masks"):
            list(decode_instances(wrong, SIZE, least_score=0.1, overlap=0.6, most=9))


def test_masks_agree_by_their_pixels_and_not_by_their_boxes():
    left, right = np.zeros((2, 1, 4, 4), np.bool_)
    left[0, :, :2], right[0, :, 1:] = True, True
    assert mask_overlap(left, right).tolist() == [[4 / 16]]
    assert mask_overlap(left, np.zeros_like(left)).tolist() == [[0]]
    one = Detections(np.array([[0.0, 0, 4, 4]]), np.array([1]), np.array([0.9]))
    assert mask_agreement([Instances(one, left)], [Instances(one, left)]) == 1
    assert mask_agreement([Instances(one, left)], [Instances(one, right)]) == 0
    none = Detections(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0))
    assert mask_agreement([Instances(none, left[:0])], [Instances(none, left[:0])]) is None
