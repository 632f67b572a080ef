"""Pictures with maps of classes in Pascal VOC's layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from paredown.contracts import DataSplits
from paredown.errors import DataError
from paredown_vision import label_room
from paredown_vision.dataset_configs import VocSegmentationConfig
from paredown_vision.voc_segmentation import load_voc_segmentation


def dataset(root: Path, count: int = 6) -> Path:
    """Pictures of 16 x 8 whose left half is class 1 and dark, and whose right half is class 2, an edge between."""
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    for index in range(2 * count):
        picture = np.zeros((8, 16, 3), np.uint8)
        picture[:, 8:] = 200 + index
        Image.fromarray(picture).save(root / "JPEGImages" / f"{index:03}.jpg")
        classes = np.repeat(np.array([[1] * 7 + [255] * 2 + [2] * 7], np.uint8), 8, axis=0)
        image = Image.fromarray(classes, "P")
        image.putpalette([value for shade in range(256) for value in (shade, 0, 0)])
        image.save(root / "SegmentationClass" / f"{index:03}.png")
    names = [f"{index:03}" for index in range(2 * count)]
    lists = root / "ImageSets" / "Segmentation"
    (lists / "train.txt").write_text("\n".join(names[:count]))
    (lists / "val.txt").write_text("\n".join(names[count:]) + "\n")
    return root


def load(root: Path, **options: Any) -> DataSplits:
    config = {"kind": "voc_segmentation", "directory": ".", "size": [8, 16], "num_classes": 3} | options
    return load_voc_segmentation(VocSegmentationConfig.model_validate(config), root)


def test_maps_hold_palette_indices(tmp_path: Path) -> None:
    data = load(dataset(tmp_path))
    images, labels = data.train
    assert images.shape == (6, 3, 8, 16)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels[0, 0], [1] * 7 + [255] * 2 + [2] * 7)
    assert (images[:][:, :, :, :7] < images[:][:, :, :, 9:]).all()


def test_without_a_list_for_test_validation_is_halved(tmp_path: Path) -> None:
    data = load(dataset(tmp_path))
    assert (len(data.validation[0]), len(data.test[0])) == (3, 3)
    with pytest.raises(DataError, match="6 pictures are in more than one split"):
        load(tmp_path, lists={"test": "val"})


def test_a_limit_draws_from_a_sorted_list(tmp_path: Path) -> None:
    whole, few = load(dataset(tmp_path)), load(tmp_path, limit=3)
    shades = [sorted(float(image.max()) for image in data.train[0][:]) for data in (whole, few)]
    assert len(shades[1]) == 3
    np.testing.assert_array_equal(few.train[1], whole.train[1][:3])
    images = load(tmp_path, limit={"train": 3}).train[0]
    np.testing.assert_array_equal(images[:], few.train[0][:])


def test_what_lies_beside_the_picture_does_not_count(tmp_path: Path) -> None:
    labels = load(dataset(tmp_path), fit="pad", size=[16, 16]).train[1]
    assert (labels[:, :4] == 255).all()
    assert (labels[:, 12:] == 255).all()
    assert (labels[:, 4:12, :7] == 1).all()


def spoil(root: Path) -> None:
    (root / "JPEGImages" / "000.jpg").unlink()
    Image.new("RGB", (16, 8)).save(root / "SegmentationClass" / "001.png")
    Image.new("L", (9, 9)).save(root / "SegmentationClass" / "002.png")
    Image.new("L", (16, 8), 77).save(root / "SegmentationClass" / "003.png")


def test_what_cannot_be_used_is_named_and_counted(tmp_path: Path) -> None:
    spoil(dataset(tmp_path))
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    problem = caught.value.problems[0]
    assert problem.what == "4 of 12 pictures cannot be used"
    for text in (
        "000 has no picture",
        "001 is no map of classes",
        "002 has a map of 9 x 9 pixels for a picture of 16 x 8",
        "003 has the class 77 in its map; there are 3, and 255",
    ):
        assert text in str(problem.value)
    data = load(tmp_path, on_error="skip")
    assert len(data.train[0]) == len(data.train[1]) == 2
    assert "4 of 12 pictures" in data.notes[0]


def test_maps_that_are_too_large_for_memory_are_refused_before_room_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_room, "MOST_BYTES", 2**29)
    with pytest.raises(DataError) as caught:
        load(dataset(tmp_path), size=[8192, 8192])
    problem = caught.value.problems[0]
    assert problem.what == "the labels are too large for memory"
    assert problem.value == "0.8 GiB: a class map of 8192 x 8192 in each of 12 pictures"


def test_a_missing_list_is_refused(tmp_path: Path) -> None:
    dataset(tmp_path)
    with pytest.raises(DataError, match="a list of names cannot be read"):
        load(tmp_path, lists={"train": "nothing"})
