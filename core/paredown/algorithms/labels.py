"""What labels look like under each task, and what is wrong with some that do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.objects import IGNORED, PADDING
from paredown.contracts import Array

ROUNDED = 1.0
"""Boxes may reach out of their image by so many pixels, as rounded ones do."""


@dataclass(frozen=True, slots=True)
class LabelFault:
    """What labels are, and what they were to be."""

    value: str
    expected: str


def label_fault(task: str, images: tuple[int, ...], labels: Array, num_classes: int) -> LabelFault | None:
    """What keeps labels from being read under a task; None where nothing does.

    Args:
        task: The task's kind; of one that is not in `LABEL_FORMS`, only the number of labels is looked at.
        images: The images' shape, [count, channels, height, width].
        labels: Labels, one an image along the first axis.
        num_classes: How many classes there are.
    """
    if len(labels) != images[0]:
        return LabelFault(f"{len(labels)} labels", f"as many as images: {images[0]}")
    form = LABEL_FORMS.get(task)
    return None if form is None else form(images, labels, num_classes)


def need_equal_outputs(labels: Array) -> bool:
    """Whether labels have a column a class, so that a network with more outputs than that has some without a label."""
    return labels.ndim == 2 and labels.dtype.names is None


def _classes(images: tuple[int, ...], labels: Array, num_classes: int) -> LabelFault | None:
    return _shape(labels, images[:1]) or _values(labels, num_classes)


def _several_classes(images: tuple[int, ...], labels: Array, num_classes: int) -> LabelFault | None:
    return _shape(labels, (images[0], num_classes)) or _values(labels, 2)


def _class_maps(images: tuple[int, ...], labels: Array, num_classes: int) -> LabelFault | None:
    return _shape(labels, (images[0], *images[2:])) or _values(labels, num_classes, IGNORED)


def _boxes(images: tuple[int, ...], labels: Array, num_classes: int) -> LabelFault | None:
    names = ("boxes", "classes", "crowd")
    if not set(names) <= set(labels.dtype.names or ()) or labels.ndim != 1:
        return LabelFault(_described(labels), f"a structured array [count] with the fields {', '.join(names)}")
    fault = _values(labels["classes"], num_classes, PADDING)
    if fault is None and not np.isfinite(labels["boxes"]).all():
        fault = LabelFault("boxes with NaN or infinity", "finite boxes")
    return fault or _places(images, labels)


def _places(images: tuple[int, ...], labels: Array) -> LabelFault | None:
    """What is wrong with where boxes are; those of padding are nothing's."""
    there = labels["classes"] != PADDING
    x1, y1, x2, y2 = (labels["boxes"][..., corner] for corner in range(4))
    height, width = images[2:]
    empty = there & ((x2 <= x1) | (y2 <= y1))
    outside = there & (np.minimum(x1, y1) < -ROUNDED)
    outside |= there & ((x2 > width + ROUNDED) | (y2 > height + ROUNDED))
    return _some(empty, labels, "boxes x1, y1, x2, y2 with x1 < x2 and y1 < y2, not x, y, width and height") or _some(
        outside, labels, f"boxes within the image of {width} x {height} pixels"
    )


def _some(wrong: Array, labels: Array, expected: str) -> LabelFault | None:
    if not wrong.any():
        return None
    image, place = np.argwhere(wrong)[0]
    box = ", ".join(f"{corner:g}" for corner in labels["boxes"][image, place])
    objects = int(np.count_nonzero(labels["classes"] != PADDING))
    return LabelFault(f"{np.count_nonzero(wrong)} of {objects} objects, first in image {image}: {box}", expected)


def _masks(images: tuple[int, ...], labels: Array, num_classes: int) -> LabelFault | None:
    fault = _boxes(images, labels, num_classes)
    if fault is None and "masks" not in (labels.dtype.names or ()):
        fault = LabelFault("no field `masks`", "objects with the field `masks`")
    fault = fault or _shape(labels["masks"][:, 0], (images[0], *images[2:]))
    if fault is not None:
        return fault
    empty = (labels["classes"] != PADDING) & ~labels["masks"].any(axis=(2, 3))
    return _some(empty, labels, "masks with at least one pixel: what has none cannot be found")


LABEL_FORMS: Mapping[str, Callable[[tuple[int, ...], Array, int], LabelFault | None]] = {
    "classification": _classes,
    "multi_label_classification": _several_classes,
    "semantic_segmentation": _class_maps,
    "detection": _boxes,
    "instance_segmentation": _masks,
}
"""Tasks whose labels every dataset spells alike; what another task reads is for its plugin to say."""


def _shape(labels: Array, shape: tuple[int, ...]) -> LabelFault | None:
    if labels.shape == shape and labels.dtype.kind in "iu":
        return None
    return LabelFault(_described(labels), f"whole numbers of shape {shape}")


def _values(labels: Array, num_classes: int, besides: int | None = None) -> LabelFault | None:
    wrong = (labels < 0) | (labels >= num_classes)
    if besides is not None:
        wrong &= labels != besides
    if not wrong.any():
        return None
    also = "" if besides is None else f", or {besides}"
    return LabelFault(f"{labels[wrong].ravel()[0]}", f"numbers from 0 to {num_classes - 1}{also}")


def _described(labels: Array) -> str:
    return f"shape {labels.shape}, {labels.dtype.name if labels.dtype.names is None else list(labels.dtype.names)}"
