"""Scenes of handwritten digits: what their labels say of the ink, and that they are the same every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paredown.algorithms.objects import box_of
from paredown.contracts import DataSplits
from paredown_vision.dataset_configs import DigitScenesConfig
from paredown_vision.digit_scenes import load_digit_scenes
from paredown_vision.digits import digit_parts

COUNT = {"train": 40, "validation": 10, "test": 12}


def scenes(target: str, **options: Any) -> DataSplits:
    config = DigitScenesConfig.model_validate({"target": target, "count": COUNT} | options)
    return load_digit_scenes(config, Path())


@pytest.fixture(scope="module")
def masked() -> DataSplits:
    return scenes("instance_segmentation", objects=(0, 4))


def test_every_split_has_the_images_that_were_asked_for(masked: DataSplits) -> None:
    assert [len(part[0]) for part in (masked.train, masked.validation, masked.test)] == [40, 10, 12]
    assert masked.train[0].shape == (40, 1, 64, 64)
    assert masked.train[0].dtype == np.float32
    assert masked.num_classes == 10


def test_boxes_are_tight_around_the_ink_that_is_seen(masked: DataSplits) -> None:
    for label in masked.train[1]:
        for box, mask in zip(label["boxes"], label["masks"], strict=True):
            if mask.any():
                assert tuple(box) == box_of(mask)


def test_no_two_digits_share_a_pixel(masked: DataSplits) -> None:
    assert masked.train[1]["masks"].sum(axis=1).max() == 1


def test_places_behind_the_last_digit_are_padding(masked: DataSplits) -> None:
    labels = masked.train[1]
    counts = (labels["classes"] >= 0).sum(axis=1)
    assert set(counts) == {0, 1, 2, 3, 4}
    empty = labels["classes"] == -1
    assert not labels["boxes"][empty].any()
    assert not labels["masks"][empty].any()
    assert not labels["crowd"].any()


def test_ink_is_brighter_than_what_surrounds_it(masked: DataSplits) -> None:
    for image, label in zip(masked.test[0][:, 0], masked.test[1], strict=True):
        for mask in label["masks"]:
            if mask.any():
                assert image[mask == 1].mean() > image[label["masks"].sum(axis=0) == 0].mean()


def test_all_targets_show_the_same_scenes(masked: DataSplits) -> None:
    boxed, mapped = scenes("detection", objects=(0, 4)), scenes("semantic_segmentation", objects=(0, 4))
    np.testing.assert_array_equal(boxed.train[0], masked.train[0])
    np.testing.assert_array_equal(mapped.train[0], masked.train[0])
    np.testing.assert_array_equal(boxed.train[1]["boxes"], masked.train[1]["boxes"])
    classes, masks = masked.train[1]["classes"], masked.train[1]["masks"]
    np.testing.assert_array_equal(mapped.train[1], np.sum((classes + 1)[..., None, None] * masks, axis=1))
    assert mapped.train[1].dtype == np.int64
    assert mapped.num_classes == 11
    assert boxed.train[1].dtype.names == ("boxes", "classes", "crowd")


def test_one_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    first, again, other = scenes("detection"), scenes("detection"), scenes("detection", seed=1)
    assert first.test[0].tobytes() == again.test[0].tobytes()
    assert first.test[1].tobytes() == again.test[1].tobytes()
    assert first.test[0].tobytes() != other.test[0].tobytes()


def test_more_scenes_leave_the_first_as_they_are() -> None:
    few, more = scenes("semantic_segmentation"), scenes("semantic_segmentation", count={**COUNT, "train": 60})
    np.testing.assert_array_equal(few.train[1], more.train[1][:40])


def test_train_validation_and_test_come_from_different_digits() -> None:
    inks = [{image.tobytes() for image in images} for images, _ in digit_parts()]
    assert not inks[0] & inks[1]
    assert not (inks[0] | inks[1]) & inks[2]
