"""What the tasks of objects let a report draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paredown.algorithms.detection import Detections, Instances
from paredown.algorithms.objects import PADDING
from paredown.contracts import Array, Drawing, DrawnObject


def draw_detections(found: Detections) -> Drawing:
    """The detections of one image, the surest last, so that it lies above the others."""
    rows = zip(found.boxes.tolist(), found.classes.tolist(), found.scores.tolist(), strict=True)
    return Drawing(tuple(DrawnObject(tuple(box), label, score) for box, label, score in rows)[::-1])


def draw_instances(found: Instances) -> Drawing:
    """The objects found in one image with their masks, the surest last."""
    plain = draw_detections(found.detections).objects
    return Drawing(tuple(replace(one, mask=mask) for one, mask in zip(plain, found.masks[::-1], strict=True)))


def draw_objects(label: Array) -> Drawing:
    """The objects of one image, from its record (`paredown.algorithms.objects`); with masks where the record has them.

    Args:
        label: One record, with the fields `boxes`, `classes` and `crowd`, perhaps `masks`.
    """
    has_masks = "masks" in (label.dtype.names or ())
    return Drawing(
        tuple(
            DrawnObject(
                tuple(label["boxes"][place].tolist()),
                int(label["classes"][place]),
                crowd=bool(label["crowd"][place]),
                mask=label["masks"][place] if has_masks else None,
            )
            for place in np.flatnonzero(label["classes"] != PADDING)
        )
    )
