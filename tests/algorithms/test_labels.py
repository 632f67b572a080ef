"""The forms of labels, and what is said of others."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from helpers import ROOT

from paredown.algorithms.labels import LABEL_FORMS, label_fault
from paredown.algorithms.objects import Objects, pack
from paredown.contracts import Array
from paredown.spec.data_checks import LABELLED_TASKS

IMAGES = (2, 3, 4, 5)


def objects(
    category: int = 1,
    box: tuple[float, float, float, float] = (1, 0, 3, 4),
    size: tuple[int, int] | None = None,
    ink: int = 1,
) -> Array:
    masks = None if size is None else np.full((1, *size), ink, np.uint8)
    one = Objects(np.array([box], np.float32), np.array([category]), np.array([False]), masks)
    return pack([one, Objects(*(part[:0] for part in (one.boxes, one.classes, one.crowd)), masks)], 2, size)


RIGHT: list[tuple[str, Array]] = [
    ("classification", np.array([0, 2])),
    ("multi_label_classification", np.array([[0, 1, 1], [0, 0, 0]])),
    ("semantic_segmentation", np.full((2, 4, 5), 255)),
    ("detection", objects()),
    ("detection", objects(box=(-0.5, 0, 5.5, 4))),
    ("instance_segmentation", objects(size=(4, 5))),
    ("a plugin's own", np.zeros((2, 7))),
]

WRONG: list[tuple[str, Array, str]] = [
    ("classification", np.array([0]), "1 labels"),
    ("classification", np.array([0.0, 1.0]), "shape (2,), float64"),
    ("classification", np.array([0, 3]), "3"),
    ("classification", np.array([-1, 0]), "-1"),
    ("multi_label_classification", np.array([0, 1]), "shape (2,), int64"),
    ("multi_label_classification", np.array([[0, 2, 0], [0, 0, 0]]), "2"),
    ("semantic_segmentation", np.zeros((2, 5, 4), np.int64), "shape (2, 5, 4), int64"),
    ("semantic_segmentation", np.full((2, 4, 5), 254), "254"),
    ("detection", np.array([0, 1]), "shape (2,), int64"),
    ("detection", objects(category=3), "3"),
    ("detection", objects(box=(np.nan, 0, 1, 1)), "boxes with NaN or infinity"),
    ("detection", objects(box=(3, 2, 1, 1)), "1 of 1 objects, first in image 0: 3, 2, 1, 1"),
    ("detection", objects(box=(1, 1, 3, 30)), "1 of 1 objects, first in image 0: 1, 1, 3, 30"),
    ("instance_segmentation", objects(size=(4, 5), ink=0), "1 of 1 objects, first in image 0: 1, 0, 3, 4"),
    ("instance_segmentation", objects(), "no field `masks`"),
    ("instance_segmentation", objects(size=(5, 4)), "shape (2, 5, 4), uint8"),
    ("a plugin's own", np.zeros(3), "3 labels"),
]


@pytest.mark.parametrize(("task", "labels"), RIGHT)
def test_labels_of_the_task_are_taken(task: str, labels: Array) -> None:
    assert label_fault(task, IMAGES, labels, 3) is None


@pytest.mark.parametrize(("task", "labels", "value"), WRONG)
def test_other_labels_are_named(task: str, labels: Array, value: str) -> None:
    fault: Any = label_fault(task, IMAGES, labels, 3)
    assert fault.value == value


def test_the_spec_knows_the_same_tasks() -> None:
    assert set(LABELLED_TASKS) == set(LABEL_FORMS)


def test_the_label_of_pixels_that_do_not_count_is_written_once() -> None:
    files = [path for part in ("core", "backends", "plugins") for path in (ROOT / part).rglob("*.py")]
    named = [path.name for path in files if re.search(r"^\w+(: \w+)? = 255$", path.read_text("utf-8"), re.MULTILINE)]
    assert named == ["objects.py"]
