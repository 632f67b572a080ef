"""Data that is not what the task reads is refused before anything is computed with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import small_spec

from paredown.contracts import DataSplits
from paredown.engine.data import load_data
from paredown.engine.networks import digest
from paredown.errors import DataError
from paredown.manager import Manager
from paredown.spec.loader import load_spec

SPLITS = ("train", "validation", "test")


def load(folder: Path, labels: Any, images: Any = None, **options: Any) -> DataSplits:
    given = np.zeros((6, 1, 8, 8), np.float32) if images is None else images
    np.savez(
        folder / "set.npz",
        **{f"{split}_{part}": values for split in SPLITS for part, values in (("images", given), ("labels", labels))},
    )
    manager = Manager.discover()
    spec = load_spec(small_spec(data={"kind": "npz", "path": "set.npz"} | options), manager.registry)
    return load_data(manager, spec, folder)


@pytest.mark.parametrize(
    ("labels", "value"),
    [(np.zeros((6, 8, 8), np.int64), "shape (6, 8, 8), uint8"), (np.array([0, 1, 2, 3, 4, 9]), "9")],
    ids=["class maps", "a class too many"],
)
def test_labels_that_the_task_does_not_read_are_refused(tmp_path: Path, labels: Any, value: str) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, labels, num_classes=5)
    problem = caught.value.problems[0]
    assert problem.what == "the train split's labels are not what the task `classification` reads"
    assert problem.value == value


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_an_empty_split_is_refused(tmp_path: Path, dtype: Any) -> None:
    with pytest.raises(DataError, match="the train split is empty"):
        load(tmp_path, np.zeros(0, np.int64), np.zeros((0, 1, 8, 8), dtype), num_classes=5)


@dataclass
class Parts:
    """Images that are no array."""

    values: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        return self.values[index]


def test_images_that_are_no_array_have_the_digest_of_their_numbers() -> None:
    values = np.random.default_rng(0).standard_normal((600, 1, 4, 4)).astype(np.float32)
    assert digest({"images": Parts(values)}) == digest({"images": values})
    assert digest({"images": Parts(values[:599])}) != digest({"images": values})
