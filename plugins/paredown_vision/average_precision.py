"""Average precision as COCO measures it, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from paredown.algorithms.detection import Detections
from paredown.algorithms.objects import PADDING
from paredown.contracts import Array, FloatArray
from paredown.errors import ComponentMissing


def average_precision(found: Sequence[Detections], labels: Array) -> tuple[float, float]:
    """The mean over IoU 0.50, 0.55, ... 0.95 and classes, and the mean over classes at IoU 0.5 (Lin et al., 2014).

    Classes without an object do not count; crowds are neither to be found nor to be missed.

    Args:
        found: The detections of each image.
        labels: Records of `paredown.algorithms.objects`, one for each image.

    Raises:
        ComponentMissing: pycocotools is not installed.
    """
    coco, evaluation = _pycocotools()
    objects = _objects(labels)
    detected = [
        {"id": number, "image_id": image, "category_id": int(label), "score": float(score), **_area(box)}
        for number, (image, box, label, score) in enumerate(_flat(found), start=1)
    ]
    if not detected or not any(not one["iscrowd"] for one in objects):
        return 0.0, 0.0
    classes = sorted({one["category_id"] for one in (*objects, *detected)})
    # pycocotools tells its progress on standard output, which is not a library's to write to.
    with contextlib.redirect_stdout(io.StringIO()):
        truth, guessed = (_dataset(coco, len(labels), classes, rows) for rows in (objects, detected))
        measured = evaluation(truth, guessed, "bbox")
        measured.evaluate()
        measured.accumulate()
    precision = measured.eval["precision"][..., 0, -1]
    return _mean(precision), _mean(precision[0])


def _pycocotools() -> tuple[Any, Any]:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise ComponentMissing(
            "average precision needs pycocotools, which is not installed",
            where="task.kind",
            value="detection",
            remedy='pip install "paredown[vision]"',
        ) from error
    return COCO, COCOeval


def _dataset(coco: Any, images: int, classes: list[int], annotations: list[dict[str, Any]]) -> Any:
    made = coco()
    made.dataset = {
        "images": [{"id": image} for image in range(images)],
        "categories": [{"id": label} for label in classes],
        "annotations": annotations,
    }
    made.createIndex()
    return made


def _objects(labels: Array) -> list[dict[str, Any]]:
    # pycocotools takes an annotation numbered 0 for one that was not matched.
    return [
        {
            "id": number,
            "image_id": int(image),
            "category_id": int(labels["classes"][image, place]),
            "iscrowd": int(labels["crowd"][image, place]),
            **_area(labels["boxes"][image, place]),
        }
        for number, (image, place) in enumerate(np.argwhere(labels["classes"] != PADDING), start=1)
    ]


def _flat(found: Sequence[Detections]) -> list[tuple[int, FloatArray, int, float]]:
    return [
        (image, box, label, score)
        for image, one in enumerate(found)
        for box, label, score in zip(one.boxes, one.classes, one.scores, strict=True)
    ]


def _area(box: FloatArray) -> dict[str, Any]:
    left, top, right, bottom = (float(edge) for edge in box)
    return {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}


def _mean(precision: Array) -> float:
    """Of all thresholds, recalls and classes; -1 marks classes without an object."""
    return float(precision[precision > -1].mean())
