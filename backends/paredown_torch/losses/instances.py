"""The loss of anchor-free detectors with masks: that on boxes, and that of prototypes and coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from paredown.algorithms.detection import assign, assign_masks
from paredown.contracts import Array
from paredown_torch.losses.detection import fcos_of


def fcos_mask(
    student: tuple[Tensor, Tensor, Tensor, Tensor, Tensor],
    teacher: object,  # noqa: ARG001 - one signature
    labels: Array,
    options: Mapping[str, Any],
) -> Tensor:
    """`fcos`, and the cross entropy of masks (Bolya et al., 2019).

    Args:
        student: Logits [batch, classes, positions], distances [batch, 4, positions], centerness [batch, positions],
            coefficients [batch, prototypes, positions], prototypes [batch, prototypes, height, width].
        teacher: Unused.
        labels: Records of `paredown.algorithms.objects` with masks, [batch], in NumPy.
        options: `image_size`, height and width in pixels.
    """
    logits, distances, centerness, coefficients, prototypes = student
    targets = assign(labels, options["image_size"])
    wanted = assign_masks(labels, targets)
    chosen, masks, weights = (
        torch.from_numpy(one).to(prototypes) for one in (wanted.chosen, wanted.masks, wanted.weights)
    )
    found = (coefficients @ chosen).transpose(1, 2) @ prototypes.flatten(2)
    entropy = functional.binary_cross_entropy_with_logits(found, masks, weights, reduction="sum")
    return fcos_of((logits, distances, centerness), targets) + entropy
