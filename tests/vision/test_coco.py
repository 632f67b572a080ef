"""Pictures with objects in COCO's format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from paredown.contracts import DataSplits
from paredown.errors import DataError
from paredown_vision import label_room
from paredown_vision.coco import load_coco
from paredown_vision.coco_masks import decoded
from paredown_vision.dataset_configs import CocoConfig
from paredown_vision.pictures import Unreadable
from paredown_vision.splits import fixed_orders

masks = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed: pip install 'paredown[vision]'")

CATEGORIES = [{"id": 7, "name": "cat"}, {"id": 3, "name": "ant"}]
POLYGON = [[2.0, 2.0, 6.0, 2.0, 6.0, 6.0, 2.0, 6.0]]


def annotation(number: int, image: int, box: Any, **more: Any) -> dict[str, Any]:
    return {"id": number, "image_id": image, "category_id": 7, "bbox": box, "iscrowd": 0} | more


OBJECTS = [
    annotation(1, 0, [2, 2, 4, 4], segmentation=POLYGON),
    annotation(2, 0, [0, 0, 16, 8], segmentation={"size": [8, 16], "counts": [0, 128]}, category_id=3, iscrowd=1),
    annotation(3, 1, [8, 0, 4, 4], segmentation=POLYGON),
]


def dataset(root: Path, objects: list[dict[str, Any]], **more: Any) -> Path:
    """Four pictures of 16 x 8 in each of `train` and `val`; the last two have no objects."""
    content = {
        "images": [{"id": index, "file_name": f"{index}.png", "width": 16, "height": 8} for index in range(4)],
        "annotations": objects,
        "categories": CATEGORIES,
    } | more
    for split in ("train", "val"):
        (root / split).mkdir(exist_ok=True)
        for index in range(4):
            Image.new("RGB", (16, 8), (40 * index, 0, 99)).save(root / split / f"{index}.png")
        (root / f"{split}.json").write_text(json.dumps(content))
    return root


def load(root: Path, **options: Any) -> DataSplits:
    parts = {
        name: {"images": folder, "annotations": f"{folder}.json"}
        for name, folder in (("train", "train"), ("validation", "val"))
    }
    config = {"kind": "coco", "directory": ".", "size": [16, 16], "fit": "stretch"} | parts | options
    return load_coco(CocoConfig.model_validate(config), root)


def by_picture(labels: Any, count: int = 4) -> Any:
    """Labels of a split in the file's order: they come in that of a fixed draw."""
    (order,) = fixed_orders([count])
    return labels[np.argsort(order)]


def test_boxes_are_scaled_to_the_input_and_classes_numbered_in_order(tmp_path: Path) -> None:
    data = load(dataset(tmp_path, OBJECTS))
    labels = by_picture(data.train[1])
    assert data.num_classes == 2
    assert labels["classes"].tolist() == [[1, 0], [1, -1], [-1, -1], [-1, -1]]
    assert labels["boxes"][0].tolist() == [[2, 4, 6, 12], [0, 0, 16, 16]]
    assert labels["crowd"][0].tolist() == [False, True]
    assert (len(data.validation[0]), len(data.test[0])) == (2, 2)


def test_boxes_follow_cropping_and_margins(tmp_path: Path) -> None:
    dataset(tmp_path, OBJECTS)
    cropped = by_picture(load(tmp_path, fit="crop", size=[8, 8]).train[1])
    assert cropped["boxes"][0].tolist() == [[0, 2, 2, 6], [0, 0, 8, 8]]
    padded = by_picture(load(tmp_path, fit="pad").train[1])
    assert padded["boxes"][0].tolist() == [[2, 6, 6, 10], [0, 4, 16, 12]]


def test_masks_come_from_polygons_and_run_lengths(tmp_path: Path) -> None:
    labels = by_picture(load(dataset(tmp_path, OBJECTS), target="instance_segmentation").train[1])
    expected = np.zeros((16, 16), np.uint8)
    expected[4:12, 2:6] = 1
    np.testing.assert_array_equal(labels["masks"][0, 0], expected)
    assert labels["masks"][0, 1].all()
    assert not labels["masks"][2:].any()


def test_masks_that_vanish_on_the_input_go_with_their_objects_and_are_counted(tmp_path: Path) -> None:
    thin = annotation(4, 0, [4, 0, 4, 8], segmentation={"size": [8, 16], "counts": [32, 8, 88]})
    dataset(tmp_path, [*OBJECTS, thin])
    data = load(tmp_path, target="instance_segmentation", size=[4, 8])
    assert by_picture(data.train[1])["classes"][0].tolist() == [1, 0, -1]
    assert data.notes == ("data: 2 of 8 objects have less than a pixel left on the input, and were left out",)


def test_a_limit_draws_from_a_file_that_is_sorted_by_class(tmp_path: Path) -> None:
    sorted_by_class = [annotation(index, index, [2, 2, 4, 4], category_id=(3, 7)[index // 2]) for index in range(4)]
    dataset(tmp_path, sorted_by_class)
    assert load(tmp_path, limit={"train": 2}).train[1]["classes"].ravel().tolist() == [
        (0, 1)[place // 2] for place in fixed_orders([4])[0][:2]
    ]


def test_a_picture_of_two_splits_is_refused(tmp_path: Path) -> None:
    dataset(tmp_path, OBJECTS)
    with pytest.raises(DataError, match="4 pictures are in more than one split"):
        load(tmp_path, validation={"images": "train", "annotations": "train.json"})


def test_compressed_run_lengths_are_read_as_pycocotools_reads_them() -> None:
    generator = np.random.default_rng(0)
    for share in (0.02, 0.5, 0.98):
        mask = np.asfortranarray((generator.uniform(size=(40, 70)) < share).astype(np.uint8))
        packed = masks.encode(mask)
        given = {"size": [40, 70], "counts": packed["counts"].decode()}
        np.testing.assert_array_equal(decoded(given, 70, 40), mask)


@pytest.mark.parametrize(
    "segmentation",
    [
        None,
        [],
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 5, "6"]],
        {"size": [9, 9], "counts": [81]},
        {"size": [8, 16], "counts": [1000]},
        {"size": [8, 16], "counts": [-5, 133]},
        {"size": [8, 16], "counts": "ooooo"},
        {"size": [8, 16], "counts": "\x00\xff"},
        {"size": [8, 16]},
        {"size": [8, 16], "counts": [128]},
    ],
)
def test_a_wrong_mask_is_refused_before_it_reaches_c_code(segmentation: Any) -> None:
    with pytest.raises(Unreadable):
        decoded(segmentation, 16, 8)


WRONG = [
    annotation(9, 99, [0, 0, 2, 2]),
    annotation(10, 0, [0, 0, 2, 2], category_id=5),
    annotation(11, 0, [0, 0, 0, 2]),
    annotation(12, 0, None),
    annotation(13, 0, [0, 0, float("nan"), 2]),
]


def test_wrong_objects_are_named_and_counted(tmp_path: Path) -> None:
    dataset(tmp_path, [*OBJECTS, *WRONG])
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    problem = caught.value.problems[0]
    assert problem.what == "5 of 4 pictures and their objects cannot be used"
    for number in range(9, 14):
        assert f"annotation {number}" in str(problem.value)
    data = load(tmp_path, on_error="skip")
    assert (data.train[1]["classes"] >= 0).sum() == 3
    assert len(data.notes) == 2


def test_categories_that_differ_between_the_splits_are_refused(tmp_path: Path) -> None:
    dataset(tmp_path, OBJECTS)
    content = json.loads((tmp_path / "val.json").read_text())
    content["categories"] = [{"id": 7, "name": "ant"}, {"id": 3, "name": "cat"}, {"id": 9, "name": "dog"}]
    (tmp_path / "val.json").write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        load(tmp_path, on_error="skip")
    problem = caught.value.problems[0]
    assert problem.where == str(tmp_path / "val.json")
    assert problem.value == "3 is `ant` and here `cat`; 7 is `cat` and here `ant`"


def test_a_number_of_two_categories_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two categories have one `id`"):
        load(dataset(tmp_path, OBJECTS, categories=[*CATEGORIES, {"id": 7, "name": "dog"}]), on_error="skip")


def test_labels_that_are_too_large_for_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_room, "MOST_BYTES", 2**10)
    load(dataset(tmp_path, OBJECTS))
    with pytest.raises(DataError, match="the labels are too large for memory"):
        load(tmp_path, target="instance_segmentation")


def test_boxes_outside_their_picture_are_refused_or_cut(tmp_path: Path) -> None:
    beyond = [annotation(20, 2, [12, 4, 9, 9]), annotation(21, 2, [40, 0, 4, 4]), annotation(22, 2, [0, 0, 16.5, 8])]
    dataset(tmp_path, [*OBJECTS, *beyond])
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    problem = caught.value.problems[0]
    assert "annotation 20 of 2.png (16 x 8): [12, 4, 9, 9]" in str(problem.value)
    assert "annotation 21" in str(problem.value)
    assert "annotation 22" not in str(problem.value)
    assert "`outside: clip`" in str(problem.remedy)
    labels = by_picture(load(tmp_path, outside="clip").train[1])
    assert labels["boxes"][2, :2].tolist() == [[12, 8, 16, 16], [0, 0, 16, 16]]


def test_pictures_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    dataset(tmp_path, OBJECTS)
    (tmp_path / "train" / "1.png").unlink()
    Image.new("RGB", (5, 5)).save(tmp_path / "train" / "2.png")
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    found = str(caught.value.problems[0].value).split("; ")
    assert sorted(found) == ["1.png is missing", "2.png has 5 x 5 pixels, not 16 x 8"]
    assert len(load(tmp_path, on_error="skip").train[0]) == 2


def test_a_picture_outside_of_its_folder_is_not_opened(tmp_path: Path) -> None:
    images = [{"id": 0, "file_name": "../secret.png", "width": 16, "height": 8}]
    with pytest.raises(DataError, match="cannot be used"):
        load(dataset(tmp_path, [], images=images))


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"id": 0, "file_name": "1.png", "width": 16, "height": 8}, "has the `id` of another: 0"),
        ({"id": 5, "file_name": "5.png", "width": 16, "height": 10**12}, "is too large"),
        ({"id": 5, "file_name": "5.png", "width": 16}, "has no whole numbers `width` and `height`"),
        ({"id": "5", "file_name": "5.png"}, "has no whole number `id`"),
        (7, "has no whole number `id`"),
    ],
)
def test_wrong_entries_of_pictures_are_named(tmp_path: Path, entry: Any, why: str) -> None:
    images = [{"id": 0, "file_name": "0.png", "width": 16, "height": 8}, entry]
    with pytest.raises(DataError) as caught:
        load(dataset(tmp_path, [], images=images))
    assert why in str(caught.value.problems[0].value)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"images": []}', "[" * 100_000])
def test_what_is_no_file_of_instances_is_refused(tmp_path: Path, content: str) -> None:
    dataset(tmp_path, OBJECTS)
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(DataError):
        load(tmp_path)
