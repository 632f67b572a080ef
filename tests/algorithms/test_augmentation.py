"""Random changes of images: drawn from seed, epoch and image alone, and labels follow."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.augmentation import Changes, draw_changes
from paredown.algorithms.batches import epoch_batches
from paredown.algorithms.objects import Objects, box_of, pack
from paredown.spec.training import AugmentConfig, CropConfig

BOTH = AugmentConfig(flip="horizontal", crop=CropConfig(padding=3))
INDEX = np.arange(50)


def images(count: int = 50, height: int = 8, width: int = 10) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 2, height, width)).astype(np.float32)


def test_an_image_changes_the_same_way_in_whatever_batch_it_stands() -> None:
    given, labels = images(), np.arange(50)
    changes = draw_changes(BOTH, 50, seed=7, epoch=2)
    whole, _ = changes.apply(given, labels, INDEX)
    for index in (INDEX[30:], INDEX[::-1]):
        np.testing.assert_array_equal(changes.apply(given[index], labels[index], index)[0], whole[index])


def test_epochs_of_one_seed_are_always_the_same_and_differ_from_each_other() -> None:
    data = (images(), np.arange(50))

    def epoch(seed: int, number: int) -> np.ndarray:
        return np.concatenate([batch[0] for batch in epoch_batches(data, 10, seed, number, augment=BOTH)])

    np.testing.assert_array_equal(epoch(1, 3), epoch(1, 3))
    assert not np.array_equal(epoch(1, 3), epoch(1, 4))
    assert not np.array_equal(epoch(1, 3), epoch(2, 3))


def test_the_order_of_an_epoch_is_the_same_with_and_without() -> None:
    data = (images(), np.arange(50))
    plain, changed = ([batch[1] for batch in epoch_batches(data, 10, 0, 0, augment=one)] for one in (None, BOTH))
    np.testing.assert_array_equal(plain, changed)


def test_half_of_the_images_are_mirrored_and_every_shift_occurs() -> None:
    changes = draw_changes(BOTH, 4000, seed=0, epoch=0)
    assert 0.45 < changes.mirrored.mean() < 0.55
    assert set(changes.shifts.ravel()) == set(range(-3, 4))


def test_what_moves_in_from_outside_is_the_mean_of_the_training_images() -> None:
    moved, _ = Changes(np.array([False]), np.array([[2, -1]])).apply(images(1), np.array([0]), np.array([0]))
    assert not moved[0, :, :2].any()
    assert not moved[0, :, :, -1].any()
    np.testing.assert_array_equal(moved[0, :, 2:, :-1], images(1)[0, :, :-2, 1:])


def test_the_images_that_are_given_stay_as_they_are() -> None:
    given, before = images(), images()
    draw_changes(BOTH, 50, 0, 0).apply(given, np.arange(50), INDEX)
    np.testing.assert_array_equal(given, before)


def test_class_maps_move_with_their_images() -> None:
    given = images()
    labels = (given[:, 0] > 0).astype(np.int64)
    changed, maps = draw_changes(BOTH, 50, 0, 0).apply(given, labels, INDEX)
    inside = maps != 255
    np.testing.assert_array_equal(maps[inside], (changed[:, 0] > 0)[inside])
    assert not changed[:, 0][~inside].any()
    assert 0.5 < inside.mean() < 0.9


def test_boxes_and_masks_move_with_their_images() -> None:
    generator = np.random.default_rng(1)
    objects = []
    for count in generator.integers(0, 4, 50):
        masks = np.zeros((count, 8, 10), np.uint8)
        for mask in masks:
            top, left = generator.integers(0, 5, 2)
            mask[top : top + 3, left : left + 4] = 1
        boxes = np.array([box_of(mask) for mask in masks], np.float32).reshape(-1, 4)
        objects.append(Objects(boxes, generator.integers(0, 9, count), np.zeros(count, np.bool_), masks))
    labels = pack(objects, mask_size=(8, 10))
    given = np.repeat(labels["masks"].sum(axis=1, dtype=np.float32)[:, None], 2, axis=1)
    changed, moved = draw_changes(BOTH, 50, 0, 0).apply(given, labels, INDEX)
    np.testing.assert_array_equal(moved["masks"].sum(axis=1), changed[:, 0])
    for box, category, mask in zip(
        *(moved[name].reshape(-1, *moved[name].shape[2:]) for name in ("boxes", "classes", "masks")), strict=True
    ):
        assert (category >= 0) == bool(mask.any())
        if mask.any():
            assert tuple(box) == box_of(mask)
    gone = (labels["classes"] >= 0) & (moved["classes"] < 0)
    assert not moved["boxes"][moved["classes"] < 0].any()
    assert 0 < gone.sum() < 15


def test_an_object_that_leaves_the_image_is_gone() -> None:
    labels = pack([Objects(np.array([[0, 0, 2, 2]], np.float32), np.array([4]), np.array([True]))])
    _, moved = Changes(np.array([False]), np.array([[-2, 0]])).apply(images(1), labels, np.array([0]))
    assert moved["classes"].tolist() == [[-1]]
    assert not moved["crowd"].any()


@pytest.mark.parametrize("labels", [np.arange(50), np.eye(50, dtype=np.int64)])
def test_labels_without_places_stay(labels: np.ndarray) -> None:
    assert draw_changes(BOTH, 50, 0, 0).apply(images(), labels, INDEX)[1] is labels
