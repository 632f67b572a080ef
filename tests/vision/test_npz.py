"""Arrays in one file: each form of labels, and files that are not what they should be."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paredown.algorithms.byte_images import ByteImages
from paredown.contracts import DataSplits
from paredown.errors import DataError
from paredown_vision.dataset_configs import NpzConfig
from paredown_vision.npz import load_npz

SPLITS = ("train", "validation", "test")
Arrays = dict[str, Any]


def arrays(dtype: Any = np.uint8) -> Arrays:
    generator = np.random.default_rng(0)
    made: Arrays = {}
    for split, count in zip(SPLITS, (12, 5, 6), strict=True):
        made[f"{split}_images"] = generator.integers(0, 256, (count, 3, 4, 6)).astype(dtype)
        made[f"{split}_labels"] = np.arange(count) % 3
    return made


def load(folder: Path, given: Arrays, **options: Any) -> DataSplits:
    np.savez(folder / "set.npz", **given)
    return load_npz(NpzConfig.model_validate({"kind": "npz", "path": "set.npz"} | options), folder)


def test_bytes_stay_bytes_and_give_what_floats_give(tmp_path: Path) -> None:
    kept, floats = load(tmp_path, arrays()), load(tmp_path, arrays(np.float32))
    assert isinstance(kept.train[0], ByteImages)
    for a, b in ((kept.train, floats.train), (kept.test, floats.test)):
        np.testing.assert_allclose(a[0][:], b[0][:], atol=1e-6)
        np.testing.assert_array_equal(a[1], b[1])
    assert kept.num_classes == 3
    assert len(load(tmp_path, arrays(), limit=4).train[1]) == 4


def test_labels_may_be_class_maps_or_several_classes(tmp_path: Path) -> None:
    maps, several = arrays(), arrays()
    for split in SPLITS:
        count = len(maps[f"{split}_labels"])
        maps[f"{split}_labels"] = np.full((count, 4, 6), 255)
        maps[f"{split}_labels"][:, 0, 0] = 6
        several[f"{split}_labels"] = np.eye(5, dtype=np.int64)[np.arange(count) % 5]
    kept = load(tmp_path, maps)
    assert kept.num_classes == 7
    assert kept.train[1].dtype == np.uint8
    assert load(tmp_path, several).num_classes == 5


def test_labels_may_be_objects(tmp_path: Path) -> None:
    given = arrays()
    for split in SPLITS:
        count = len(given.pop(f"{split}_labels"))
        given[f"{split}_boxes"] = np.tile(np.array([[0, 0, 2, 2], [0, 0, 0, 0]], np.float64), (count, 1, 1))
        given[f"{split}_classes"] = np.tile([3, -1], (count, 1))
        given[f"{split}_masks"] = np.ones((count, 2, 4, 6), np.uint8)
    labels = load(tmp_path, given).train[1]
    assert labels.dtype.names == ("boxes", "classes", "crowd", "masks")
    assert labels["boxes"][0, 0].tolist() == [0, 0, 2, 2]
    assert not labels["crowd"].any()


def boxed(boxes: list[list[float]], ink: int = 1) -> Arrays:
    given = arrays()
    for split in SPLITS:
        count = len(given.pop(f"{split}_labels"))
        given[f"{split}_boxes"] = np.tile(np.array(boxes), (count, 1, 1))
        given[f"{split}_classes"] = np.tile(np.arange(len(boxes)), (count, 1))
        given[f"{split}_masks"] = np.full((count, len(boxes), 4, 6), ink, np.uint8)
    return given


def test_objects_that_nothing_can_find_are_refused_by_their_image_or_left_out(tmp_path: Path) -> None:
    for given, fault in (
        (boxed([[0, 0, 2, 2], [3, 3, 1, 1]]), "object 1 of image 0 has no width or height: 3, 3, 1, 1"),
        (boxed([[0, 0, 2, 2], [1, 1, 1, np.nan]]), "object 1 of image 0 has NaN or infinity in its box: 1, 1, 1, nan"),
        (boxed([[0, 0, 2, 2]], ink=0), "object 0 of image 0 has an empty mask: 0, 0, 2, 2"),
    ):
        with pytest.raises(DataError, match="of `train` cannot be used") as caught:
            load(tmp_path, given)
        assert str(caught.value.problems[0].value).startswith(fault)
        left = load(tmp_path, given, on_error="skip", num_classes=2)
        assert {"data: 12 of", fault} <= {left.notes[0][:11], left.notes[0].split(": ", 2)[2][: len(fault)]}
        assert (left.train[1]["classes"] == 1).sum() == 0


def test_boxes_outside_of_the_image_are_refused_or_cut(tmp_path: Path) -> None:
    given = boxed([[-0.5, 0, 2, 4.5], [4, 2, 60, 4], [50, 50, 60, 60]])
    with pytest.raises(DataError, match="object 1 of image 0 has a box that reaches out of 6 x 4 pixels: 4, 2, 60, 4"):
        load(tmp_path, given)
    labels = load(tmp_path, given, outside="clip").test[1]
    assert labels["boxes"][0].tolist() == [[0, 0, 2, 4], [4, 2, 6, 4], [0, 0, 0, 0]]
    assert labels["classes"][0].tolist() == [0, 1, -1]


def test_a_box_beside_the_image_is_refused_or_left_out_however_near(tmp_path: Path) -> None:
    given = boxed([[6, 0, 6.9, 4], [0, 0, 2, 4], [1, 1, 3, 3]])
    with pytest.raises(DataError, match=r"object 0 of image 0 has a box outside of 6 x 4 pixels: 6, 0, 6\.9, 4"):
        load(tmp_path, given)
    found = load(tmp_path, given, outside="clip")
    assert found.test[1]["classes"][0].tolist()[-1] == -1
    assert any("a box outside of" in note for note in found.notes)


def test_labels_beside_objects_are_refused_by_name(tmp_path: Path) -> None:
    given = arrays()
    for split in SPLITS:
        count = len(given[f"{split}_labels"])
        given |= {f"{split}_boxes": np.zeros((count, 1, 4)), f"{split}_classes": np.full((count, 1), 2)}
    with pytest.raises(DataError) as caught:
        load(tmp_path, given)
    assert caught.value.problems[0].value == "unknown: test_labels, train_labels, validation_labels"


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_limit_of_a_sorted_file_keeps_every_class_and_every_images_label(tmp_path: Path, dtype: Any) -> None:
    given: Arrays = {}
    for split in SPLITS:
        labels = np.repeat([0, 1, 2], 20)
        given |= {f"{split}_images": np.ones((60, 1, 2, 2), dtype) * labels[:, None, None, None].astype(dtype)}
        given |= {f"{split}_labels": labels}
    data = load(tmp_path, given, limit=15)
    for images, labels in (data.train, data.validation, data.test):
        assert set(labels) == {0, 1, 2}
        values = images[:][:, 0, 0, 0]
        assert all(len(np.unique(values[labels == one])) == 1 for one in range(3))
        assert len(np.unique(values)) == 3


def without(name: str) -> Any:
    return lambda given: given.pop(name)


def put(name: str, value: Any) -> Any:
    return lambda given: given.update({name: value})


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (without("test_labels"), "the file holds other arrays than expected"),
        (put("extra", np.zeros(3)), "the file holds other arrays than expected"),
        (put("train_classes", np.zeros((12, 1), np.int64)), "the file holds other arrays than expected"),
        (put("train_labels", np.arange(5)), "`train_labels` does not fit the images"),
        (put("train_labels", np.zeros(12)), "`train_labels` does not fit the images"),
        (put("test_images", np.zeros((6, 3, 4), np.uint8)), "`test_images` is no array of images"),
        (put("test_images", np.zeros((6, 3, 9, 9), np.uint8)), "the splits' images differ"),
        (put("test_images", np.full((6, 3, 4, 6), np.nan)), "`test_images` holds NaN or infinity"),
        (put("test_labels", np.array([{}] * 6)), "the file holds Python objects, which would have to be run"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path: Path, spoil: Any, what: str) -> None:
    given = arrays()
    spoil(given)
    with pytest.raises(DataError) as caught:
        load(tmp_path, given)
    assert caught.value.problems[0].what == what


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x93NUMPY broken", b"text"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(DataError):
        load_npz(NpzConfig(path="set.npz"), tmp_path)


def test_damage_anywhere_is_refused_by_the_files_name(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez_compressed(path, **arrays())
    whole = path.read_bytes()
    where: list[str | None] = []
    for place in range(0, len(whole), 11):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            load_npz(NpzConfig(path="set.npz"), tmp_path)
        except DataError as error:
            where.append(error.problems[0].where)
    assert set(where) == {str(path)}
    assert len(where) > len(whole) // 11 // 2


def test_a_member_that_is_no_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", **{name: value for name, value in arrays().items() if name != "test_labels"})
    with zipfile.ZipFile(tmp_path / "set.npz", "a") as file:
        file.writestr("test_labels", b"0, 1, 2")
    with pytest.raises(DataError, match="`test_labels` is no array"):
        load_npz(NpzConfig(path="set.npz"), tmp_path)


def test_a_file_that_is_cut_short_or_missing_is_refused(tmp_path: Path) -> None:
    load(tmp_path, arrays())
    path = tmp_path / "set.npz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError):
        load_npz(NpzConfig(path="set.npz"), tmp_path)
    with pytest.raises(DataError, match="the file is missing"):
        load_npz(NpzConfig(path="other.npz"), tmp_path)
