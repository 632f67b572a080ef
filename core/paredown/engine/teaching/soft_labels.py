"""A teacher's outputs over the training images, computed once and kept in the cache."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from paredown import files
from paredown.algorithms import batches
from paredown.contracts import FloatArray, Images
from paredown.engine.networks import cache_directory, digest
from paredown.engine.teaching.teachers import Teacher
from paredown.engine.workbench import Workbench
from paredown.errors import ArtifactError, BackendFailed, UnsupportedError

GREATEST = float(np.finfo(np.float16).max)


def soft_labels(bench: Workbench, teacher: Teacher, shape: tuple[int, ...], place: str) -> FloatArray:
    """The outputs for the training images in their own order, [images, *shape], float16.

    They are read from a file by what each batch needs of them. Where the cache cannot be written they are kept in
    memory for this run.

    Raises:
        UnsupportedError: The images come from a caller's loader, in an order that nobody knows.
        BackendFailed: An output is not a finite number.
    """
    require_repeatable(bench, place)
    images, labels = bench.split("train")
    whole = (len(labels), *shape)
    path = cache_directory() / "soft-labels" / f"{_key(bench, teacher)}.npy"
    known = _read(path, whole)
    if known is not None:
        bench.report("note", text=f"soft labels of {teacher.title}: taken from the cache")
        return known
    try:
        files.write_atomically(path, lambda temporary: _fill(temporary, teacher, images, whole))
    except ArtifactError as error:
        bench.report("note", text=f"soft labels are not kept for other runs: {error.problems[0].value}")
        return np.concatenate(
            [_of_batch(teacher, batch) for batch in batches.in_order(images, batches.evaluation_batch(images))]
        )
    written = _read(path, whole)
    assert written is not None, "it was written in this shape"
    return written


def require_repeatable(bench: Workbench, place: str) -> None:
    """Refuses soft labels for images whose order is not known.

    Raises:
        UnsupportedError: The images come from a caller's loader.
    """
    if not bench.repeatable:
        raise UnsupportedError(
            "soft labels belong to images in a known order, and a loader of yours may give others each time",
            where=f"{place}.soft_labels",
            value="cache",
            expected="`soft_labels: none` in `paredown.compress`",
            remedy="remove `soft_labels`: the teacher then runs on each batch",
        )


def _fill(path: Path, teacher: Teacher, images: Images, shape: tuple[int, ...]) -> None:
    kept: Any = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)  # type: ignore[no-untyped-call]
    start = 0
    for batch in batches.in_order(images, batches.evaluation_batch(images)):
        kept[start : start + len(batch)] = _of_batch(teacher, batch)
        start += len(batch)
    kept.flush()


def _of_batch(teacher: Teacher, images: FloatArray) -> FloatArray:
    outputs = teacher.outputs(images)
    if not np.isfinite(outputs).all():
        raise BackendFailed(
            "the teacher's outputs are not finite numbers",
            where=teacher.title,
            expected="finite numbers",
            remedy="choose another teacher, or train it with a lower learning rate",
        )
    return np.clip(outputs, -GREATEST, GREATEST).astype(np.float16)


def _read(path: Path, shape: tuple[int, ...]) -> FloatArray | None:
    """A file of the cache; one that is damaged is as good as none."""
    try:
        known: FloatArray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return known if known.shape == shape and known.dtype == np.float16 else None


def _key(bench: Workbench, teacher: Teacher) -> str:
    data = digest(dict(zip(("images", "labels"), bench.split("train"), strict=True)))
    content = json.dumps({"teacher": teacher.content, "data": data}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:32]
