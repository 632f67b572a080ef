"""Pictures in one folder a class: what becomes of them, and what is said of those that cannot be used."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from paredown.algorithms.byte_images import ByteImages
from paredown.contracts import DataSplits
from paredown.errors import DataError
from paredown_vision import pictures
from paredown_vision.dataset_configs import ImageFolderConfig
from paredown_vision.image_folder import load_image_folder

FORMATS = ("png", "jpg", "bmp", "webp")


def draw(path: Path, brightness: int, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, brightness if mode == "L" else (brightness,) * 3).save(path)


def tree(root: Path, count: int = 20) -> Path:
    """Two classes, `dark` and `light`, each picture of its own brightness."""
    for index in range(count):
        draw(root / "dark" / f"{index}.{FORMATS[index % 4]}", 2 * index)
        draw(root / "light" / f"{index}.{FORMATS[index % 4]}", 200 + 2 * index)
    return root


def load(root: Path, **options: Any) -> DataSplits:
    config = {"kind": "image_folder", "directory": root.name, "size": [8, 8]} | options
    return load_image_folder(ImageFolderConfig.model_validate(config), root.parent)


def test_one_tree_is_split_once_each_class_alike(tmp_path: Path) -> None:
    data = load(tree(tmp_path / "set"))
    for (images, labels), per_class in zip((data.train, data.validation, data.test), (12, 3, 5), strict=True):
        assert images.shape == (2 * per_class, 3, 8, 8)
        assert np.bincount(labels).tolist() == [per_class, per_class]
        assert np.all((images[:].mean(axis=(1, 2, 3)) > 0) == (labels == 1))
    again = load(tmp_path / "set")
    np.testing.assert_array_equal(again.train[0][:], data.train[0][:])
    other = load(tmp_path / "set", split={"seed": 1})
    assert not np.array_equal(other.train[0][:], data.train[0][:])


def test_every_picture_is_in_one_split_alone(tmp_path: Path) -> None:
    data = load(tree(tmp_path / "set"))
    shades = [{float(image.mean()) for image in images[:]} for images, _ in (data.train, data.validation, data.test)]
    assert sum(map(len, shades)) == len(set().union(*shades)) == 40


def test_small_classes_are_in_every_split_and_too_small_ones_are_named(tmp_path: Path) -> None:
    root = tree(tmp_path / "set")
    for index in range(3):
        draw(root / "rare" / f"{index}.png", 120 + index)
    data = load(root)
    assert [np.bincount(part[1], minlength=3)[2] for part in (data.train, data.validation, data.test)] == [1, 1, 1]
    (root / "rare" / "0.png").unlink()
    (root / "rare" / "1.png").unlink()
    with pytest.raises(DataError, match="rare has no pictures in validation and test: there are 1"):
        load(root)
    assert "rare has no pictures in validation and test" in load(root, on_error="skip").notes[0]


def test_a_folder_that_is_split_is_not_split_again(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        tree(tmp_path / "set" / split, 2)
    with pytest.raises(DataError, match="the folder is split already"):
        load(tmp_path / "set", split={"seed": 7})


def test_a_picture_of_two_splits_is_refused_under_whatever_name(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        tree(tmp_path / "set" / split, 2)
    seen = tmp_path / "set" / "train" / "dark" / "0.png"
    (tmp_path / "set" / "test" / "dark" / "other.png").symlink_to(seen)
    with pytest.raises(DataError, match=r"other\.png of test is in train"):
        load(tmp_path / "set")


def test_train_validation_and_test_may_be_folders(tmp_path: Path) -> None:
    for split, count in (("train", 6), ("val", 3), ("test", 2)):
        tree(tmp_path / "set" / split, count)
    data = load(tmp_path / "set")
    assert [len(part[1]) for part in (data.train, data.validation, data.test)] == [12, 6, 4]


def test_training_images_have_mean_0_and_deviation_1(tmp_path: Path) -> None:
    images = load(tree(tmp_path / "set")).train[0]
    assert isinstance(images, ByteImages)
    np.testing.assert_allclose(images[:].mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(images[:].std(axis=(0, 2, 3)), 1, atol=1e-5)
    assert images[:].dtype == np.float32


def test_a_large_set_lies_in_a_file_and_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = load(tree(tmp_path / "set"))
    monkeypatch.setattr(pictures, "IN_MEMORY", 100)
    mapped = load(tmp_path / "set")
    assert isinstance(mapped.train[0]._pixels, np.memmap)
    np.testing.assert_array_equal(mapped.train[0][[3, 1]], kept.train[0][[3, 1]])


def test_a_limit_keeps_both_classes(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        tree(tmp_path / "set" / split)
    data = load(tmp_path / "set", limit={"train": 16})
    assert len(data.train[1]) == 16
    assert set(data.train[1]) == {0, 1}
    assert len(data.test[1]) == 40


def deep(path: Path) -> None:
    """Colours of 16 bits a value, which Pillow cannot write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(24)) * 4)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def test_colours_of_16_bits_are_not_cut_to_8(tmp_path: Path) -> None:
    root = tree(tmp_path / "set")
    deep(root / "dark" / "0.png")
    with pytest.raises(DataError, match=r"dark/0\.png has more than 8 bits a value: 16"):
        load(root)


@pytest.mark.parametrize(
    ("fit", "expected"),
    [("crop", [[0, 255], [0, 255]]), ("stretch", [[0, 255], [0, 255]]), ("pad", [[0, 0], [0, 255]])],
)
def test_other_proportions(tmp_path: Path, fit: str, expected: list[list[int]]) -> None:
    wide = np.zeros((4, 8), np.uint8)
    wide[:, 4:] = 255
    path = tmp_path / "wide.png"
    Image.fromarray(wide).save(path)
    options = ImageFolderConfig.model_validate(
        {"kind": "image_folder", "directory": ".", "size": [2, 2], "channels": 1, "fit": fit}
    )
    values, size = pictures.read_picture(path, options)
    assert size == (8, 4)
    assert values.shape == (1, 2, 2)
    if fit == "pad":
        assert np.count_nonzero(values[0].any(axis=1)) == 1
    else:
        np.testing.assert_allclose(values[0], expected, atol=40)


def break_some(root: Path) -> None:
    """One file of nonsense, one that is cut short, one of 16 bits, one empty class."""
    (root / "dark" / "0.png").write_bytes(b"no picture at all")
    whole = (root / "light" / "1.jpg").read_bytes()
    (root / "light" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(np.full((10, 12), 60_000, np.uint16)).save(root / "light" / "0.png")
    (root / "none").mkdir()


def test_what_cannot_be_used_is_named_and_counted(tmp_path: Path) -> None:
    root = tree(tmp_path / "set")
    (root / "none").mkdir()
    with pytest.raises(DataError) as empty:
        load(root)
    assert empty.value.problems[0].what == "1 of the classes' folders cannot be used"
    assert empty.value.problems[0].value == "none has no pictures"
    (root / "none").rmdir()
    break_some(root)
    (root / "none").rmdir()
    with pytest.raises(DataError) as caught:
        load(root)
    problem = caught.value.problems[0]
    assert problem.what == "3 of 40 pictures cannot be used"
    for text in ("dark/0.png is no picture", "light/1.jpg is damaged", "light/0.png has more than 8 bits"):
        assert text in str(problem.value)
    assert "on_error: skip" in str(problem.remedy)


def test_what_cannot_be_used_is_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    root = tree(tmp_path / "set")
    break_some(root)
    data = load(root, on_error="skip")
    assert sum(len(part[0]) for part in (data.train, data.validation, data.test)) == 37
    assert data.num_classes == 2
    classes, files = data.notes
    assert "none has no pictures" in classes
    assert "3 of 40 pictures" in files
    assert np.isfinite(data.train[0][:]).all()


def test_a_file_of_another_format_is_not_opened_whatever_its_name(tmp_path: Path) -> None:
    root = tree(tmp_path / "set")
    Image.new("RGB", (9, 9)).save(tmp_path / "picture.eps")
    (tmp_path / "picture.eps").rename(root / "dark" / "0.png")
    with pytest.raises(DataError) as caught:
        load(root)
    assert caught.value.problems[0].value == "dark/0.png is no picture that can be read"


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda root: None, "a folder of the dataset is missing"),
        (lambda root: root.write_text("x"), "this is a file and no folder"),
        (lambda root: tree(root / "only"), "there are fewer than two classes"),
        (lambda root: tree(root / "train"), "a folder of the dataset is missing"),
    ],
    ids=["no directory", "a file", "one class", "no validation"],
)
def test_a_wrong_directory_is_refused(tmp_path: Path, make: Any, what: str) -> None:
    make(tmp_path / "set")
    with pytest.raises(DataError) as caught:
        load(tmp_path / "set")
    assert caught.value.problems[0].what == what
