"""Average precision as COCO measures it, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np

from paredown.algorithms.detection import Detections, Instances
from paredown.algorithms.objects import PADDING
from paredown.contracts import Array, FloatArray
from paredown.errors import ComponentMissing

Row = dict[str, Any]
"""An annotation as COCO writes it."""
Kind = Literal["bbox", "segm"]
"""What overlaps: boxes or masks."""


def average_precision(found: Sequence[Detections], labels: Array) -> tuple[float, float]:
    """The mean over IoU 0.50, 0.55, ... 0.95 and classes, and the mean over classes at IoU 0.5 (Lin et al., 2014).

    Classes without an object do not count; crowds are neither to be found nor to be missed.

    Args:
        found: The detections of each image.
        labels: Records of `paredown.algorithms.objects`, one for each image.

    Raises:
        ComponentMissing: pycocotools is not installed.
    """
    measured = BoxPrecision()
    measured.add(found, labels)
    return measured.compute()


def mask_average_precision(found: Iterable[Instances], labels: Array) -> tuple[float, float]:
    """As `average_precision`, by the intersection over union of masks.

    Args:
        found: The objects found in each image; they are asked for one by one, and their masks kept as run lengths.
        labels: Records of `paredown.algorithms.objects` with masks, one for each image.

    Raises:
        ComponentMissing: pycocotools is not installed.
    """
    measured = MaskPrecision()
    measured.add(found, labels)
    return measured.compute()


class _Precision:
    """Average precision batch by batch: what is kept are rows as COCO writes them."""

    def __init__(self, kind: Kind, task: str) -> None:
        """Begins with no image.

        Raises:
            ComponentMissing: pycocotools is not installed.
        """
        _require_pycocotools(task)
        self._kind: Kind = kind
        self._images: list[dict[str, int]] = []
        self._objects: list[Row] = []
        self._detected: list[Row] = []

    def compute(self) -> tuple[float, float]:
        """The mean over thresholds and classes, and the mean over classes at 0.5, of all images."""
        return _measured(self._kind, self._images, self._objects, self._detected)

    def _keep(
        self,
        found: Iterable[Iterable[tuple[int, float, Row]]],
        labels: Array,
        region: Callable[[int, int], Row],
        **size: int,
    ) -> None:
        """Keeps further images: class, score and region of what was found in each, asked for one by one; and labels."""
        start, classes = len(self._images), labels["classes"]
        self._images += [{"id": start + image, **size} for image in range(len(labels))]
        self._detected += [
            _row(image, label, score=float(score), **where)
            for image, rows in enumerate(found, start)
            for label, score, where in rows
        ]
        self._objects += [
            _row(start + image, classes[image, place], iscrowd=int(crowd), **region(image, place))
            for image, place, crowd in _objects(labels)
        ]


class BoxPrecision(_Precision):
    """`average_precision` batch by batch."""

    def __init__(self) -> None:
        """Begins with no image; raises `ComponentMissing` without pycocotools."""
        super().__init__("bbox", "detection")

    def add(self, found: Iterable[Detections], labels: Array) -> None:
        """Keeps the detections and the objects of further images."""
        rows = (zip(one.classes, one.scores, map(_rectangle, one.boxes), strict=True) for one in found)
        self._keep(rows, labels, lambda image, place: _rectangle(labels["boxes"][image, place]))


class MaskPrecision(_Precision):
    """`mask_average_precision` batch by batch; masks are kept as run lengths."""

    def __init__(self) -> None:
        """Begins with no image; raises `ComponentMissing` without pycocotools."""
        super().__init__("segm", "instance_segmentation")

    def add(self, found: Iterable[Instances], labels: Array) -> None:
        """Keeps the objects that were found, asked for one image after the other, and those of the labels."""
        masks = labels["masks"]
        height, width = masks.shape[2:]
        rows = (
            zip(one.detections.classes, one.detections.scores, map(_region, one.masks), strict=True) for one in found
        )
        self._keep(rows, labels, lambda image, place: _region(masks[image, place] != 0), height=height, width=width)


def _require_pycocotools(task: str) -> None:
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


def _measured(kind: Kind, images: list[dict[str, int]], objects: list[Row], detected: list[Row]) -> tuple[float, float]:
    from pycocotools.cocoeval import COCOeval

    if not detected or not any(not one["iscrowd"] for one in objects):
        return 0.0, 0.0
    classes = sorted({one["category_id"] for one in (*objects, *detected)})
    # pycocotools tells its progress on standard output, which is not a library's to write to.
    with contextlib.redirect_stdout(io.StringIO()):
        truth, guessed = (_dataset(images, classes, rows) for rows in (objects, detected))
        measured = COCOeval(truth, guessed, kind)
        measured.evaluate()
        measured.accumulate()
    precision = measured.eval["precision"][..., 0, -1]
    return _mean(precision), _mean(precision[0])


def _dataset(images: list[dict[str, int]], classes: list[int], rows: list[Row]) -> Any:
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

    return {"segmentation": masks.encode(np.asfortranarray(mask, np.uint8)), "area": int(mask.sum())}


def _mean(precision: Array) -> float:
    """Of all thresholds, recalls and classes; -1 marks classes without an object."""
    return float(precision[precision > -1].mean())
