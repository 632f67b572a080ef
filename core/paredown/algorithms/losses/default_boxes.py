"""The loss of detectors with default boxes (SSD, Liu et al., 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.algorithms.detection.box_targets import assign_boxes, hard_negatives
from paredown.algorithms.detection.default_boxes import default_boxes_for
from paredown.contracts import Array, FloatArray


def ssd(
    student: tuple[FloatArray, FloatArray],
    teacher: object,  # noqa: ARG001 - one signature
    labels: Array,
    options: Mapping[str, Any],
) -> float:
    """Cross entropy of the classes and smooth L1 of the offsets, each weighed by 1 (Liu et al., 2016, section 2.2).

    Both are sums by the number of default boxes with an object in the batch, or 1 where there are none. Classes: over
    these boxes and the hardest three times as many of each image without one. Offsets: with d the difference from the
    target, d^2 / 2 up to 1 and abs(d) - 1/2 beyond, over the boxes with an object.

    Args:
        student: Logits [batch, 1 + classes, boxes], the background first, and offsets [batch, 4, boxes].
        teacher: Unused.
        labels: Records of `paredown.algorithms.objects`, [batch].
        options: `image_size`, height and width in pixels.

    Raises:
        ModelError: The outputs are not those of default boxes for images of this size.
    """
    default_boxes_for([np.shape(one) for one in student], options["image_size"])
    logits, offsets = (np.asarray(one, np.float64) for one in student)
    targets = assign_boxes(labels, options["image_size"])
    found = targets.classes >= 0
    columns = np.maximum(targets.classes + 1, 0)[:, None]
    entropy = _log_sum_exp(logits) - np.take_along_axis(logits, columns, axis=1)[:, 0]
    classes = float(entropy[found | hard_negatives(entropy, targets.classes)].sum())
    apart = np.abs(offsets - targets.offsets).transpose(0, 2, 1)[found]
    return (classes + float(np.where(apart < 1, apart**2 / 2, apart - 0.5).sum())) / max(1, int(found.sum()))


def _log_sum_exp(logits: FloatArray) -> FloatArray:
    most = logits.max(axis=1, keepdims=True)
    return np.asarray(most[:, 0] + np.log(np.exp(logits - most).sum(axis=1)))
