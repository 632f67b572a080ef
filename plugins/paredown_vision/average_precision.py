"""Average precision as COCO measures it, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from paredown.algorithms.detection import Detections
from paredown.algorithms.objects import PADDING
from paredown.contracts import Array, FloatArray
from paredown.errors import ComponentMissing

Row = dict[str, Any]
"""An annotation as COCO writes it."""
Kind = Literal["detection", "instance_segmentation"]
"""The task: what overlaps are boxes, or masks."""


class Precision:
    """Average precision batch by batch: what is kept are rows as COCO writes them, masks as run lengths."""

    def __init__(self, kind: Kind) -> None:
        """Begins with no image.

        Raises:
            ComponentMissing: pycocotools is not installed.
        """
        _require_pycocotools(kind)
        self._kind: Kind = kind
        self._images: list[Row] = []
        self._objects: list[Row] = []
        self._detected: list[Row] = []

    def add(self, found: Iterable[tuple[Detections, Array]], labels: Array) -> None:
        """Keeps further images.

        Args:
            found: Of each image what was detected, and its regions: boxes [count, 4] or masks [count, height, width].
                The images are asked for one by one.
            labels: Records of `paredown.algorithms.objects`, one for each image; those of masks with masks.
        """
        start, classes = len(self._images), labels["classes"]
        regions, row_of = (labels["boxes"], _rectangle) if self._kind == "detection" else (labels["masks"], _region)
        size = {} if self._kind == "detection" else dict(zip(("height", "width"), regions.shape[2:], strict=True))
        self._images += [{"id": start + image, **size} for image in range(len(labels))]
        self._detected += [
            _row(image, label, score=float(score), **row_of(region))
            for image, (one, own) in enumerate(found, start)
            for label, score, region in zip(one.classes, one.scores, own, strict=True)
        ]
        self._objects += [
            _row(start + image, classes[image, place], iscrowd=int(crowd), **row_of(regions[image, place]))
            for image, place, crowd in _objects(labels)
        ]

    def compute(self) -> tuple[float, float]:
        """The mean over IoU 0.50, 0.55, ... 0.95 and classes, and the mean over classes at 0.5 (Lin et al., 2014).

        Classes without an object do not count; crowds are neither to be found nor to be missed.
        """
        return _measured(self._kind, self._images, self._objects, self._detected)


def _require_pycocotools(task: Kind) -> None:
    try:
        import pycocotools.coco
        import pycocotools.cocoeval  # noqa: F401 - whether it is there
    except ImportError as error:
        raise ComponentMissing(
            "average precision needs pycocotools, which is not installed",
            where="task.kind",
            value=task,
            remedy='pip install "paredown[vision]"',
        ) from error


def _measured(kind: Kind, images: list[Row], objects: list[Row], detected: list[Row]) -> tuple[float, float]:
    from pycocotools.cocoeval import COCOeval

    if not detected or not any(not one["iscrowd"] for one in objects):
        return 0.0, 0.0
    classes = sorted({one["category_id"] for one in (*objects, *detected)})
    # pycocotools tells its progress on standard output, which is not a library's to write to.
    with contextlib.redirect_stdout(io.StringIO()):
        truth, guessed = (_dataset(images, classes, rows) for rows in (objects, detected))
        measured = COCOeval(truth, guessed, "bbox" if kind == "detection" else "segm")
        measured.evaluate()
        measured.accumulate()
    precision = measured.eval["precision"][..., 0, -1]
    return _mean(precision), _mean(precision[0])


def _dataset(images: list[Row], classes: list[int], rows: list[Row]) -> Any:
    from pycocotools.coco import COCO

    made = COCO()
    made.dataset = {
        "images": images,
        "categories": [{"id": label} for label in classes],
        # pycocotools takes an annotation numbered 0 for one that was not matched.
        "annotations": [{"id": number, **row} for number, row in enumerate(rows, start=1)],
    }
    made.createIndex()
    return made


def _objects(labels: Array) -> list[tuple[int, int, bool]]:
    """The image, the place and whether it is a crowd of every object."""
    places = np.argwhere(labels["classes"] != PADDING)
    return [(int(image), int(place), bool(labels["crowd"][image, place])) for image, place in places]


def _row(image: int, label: int, **rest: Any) -> Row:
    return {"image_id": image, "category_id": int(label), **rest}


def _rectangle(box: FloatArray) -> Row:
    left, top, right, bottom = (float(edge) for edge in box)
    return {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}


def _region(mask: Array) -> Row:
    from pycocotools import mask as masks

    return {"segmentation": masks.encode(np.asfortranarray(mask != 0, np.uint8)), "area": int(np.count_nonzero(mask))}


def _mean(precision: Array) -> float:
    """Of all thresholds, recalls and classes; -1 marks classes without an object."""
    return float(precision[precision > -1].mean())
