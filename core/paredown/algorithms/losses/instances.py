"""The loss of anchor-free detectors with masks: that on boxes, and that of prototypes and coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.algorithms.detection.mask_targets import assign_masks
from paredown.algorithms.detection.targets import assign
from paredown.algorithms.losses.detection import fcos
from paredown.contracts import Array, FloatArray


def fcos_mask(
    student: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    teacher: object,
    labels: Array,
    options: Mapping[str, Any],
) -> float:
    """`fcos`, and the cross entropy of masks (Bolya et al., 2019, sections 3.1 and 3.2), each weighed by 1.

    The logit of a position's mask in a cell is the sum over the prototypes of coefficient times prototype. Its binary
    cross entropy with the object's mask is the mean over the cells of the object's box, then over the chosen positions
    of the batch (`paredown.algorithms.detection.assign_masks`); 0 without an object.

    Args:
        student: Logits [batch, classes, positions], distances [batch, 4, positions], centerness [batch, positions],
            coefficients [batch, prototypes, positions], prototypes [batch, prototypes, height, width].
        teacher: Unused.
        labels: Records of `paredown.algorithms.objects` with masks, [batch].
        options: `image_size`, height and width in pixels.
    """
    return fcos(student[:3], teacher, labels, options) + mask_entropy(*student[3:], labels, options)


def mask_entropy(coefficients: FloatArray, prototypes: FloatArray, labels: Array, options: Mapping[str, Any]) -> float:
    """The term of `fcos_mask` for masks."""
    wanted = assign_masks(labels, assign(labels, options["image_size"]))
    own = np.asarray(coefficients, np.float64) @ wanted.chosen
    cells = np.asarray(prototypes, np.float64).reshape(*prototypes.shape[:2], -1)
    logits = own.transpose(0, 2, 1) @ cells
    entropy = np.logaddexp(0, logits) - logits * wanted.masks
    return float((entropy * wanted.weights).sum())
