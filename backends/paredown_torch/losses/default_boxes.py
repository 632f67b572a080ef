"""The loss of detectors with default boxes (SSD, Liu et al., 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from paredown.algorithms.detection.box_targets import assign_boxes, hard_negatives
from paredown.algorithms.detection.default_boxes import default_boxes_for
from paredown.contracts import Array


def ssd(student: tuple[Tensor, Tensor], teacher: object, labels: Array, options: Mapping[str, Any]) -> Tensor:  # noqa: ARG001
    """Cross entropy of the classes, with the hardest default boxes without an object, and smooth L1 of the offsets.

    Args:
        student: Logits [batch, 1 + classes, boxes], the background first, and offsets [batch, 4, boxes].
        teacher: Unused.
        labels: Records of `paredown.algorithms.objects`, [batch], in NumPy.
        options: `image_size`, height and width in pixels.

    Raises:
        ModelError: The outputs are not those of default boxes for images of this size.
    """
    logits, offsets = student
    default_boxes_for([one.shape for one in student], options["image_size"])
    targets = assign_boxes(labels, options["image_size"])
    classes = torch.from_numpy(targets.classes).to(logits.device)
    found = classes >= 0
    entropy = functional.cross_entropy(logits, (classes + 1).clamp(min=0), reduction="none")
    hard = hard_negatives(entropy.detach().double().cpu().numpy(), targets.classes)
    counts = (found | torch.from_numpy(hard).to(logits.device)).to(logits.dtype)
    wanted = torch.from_numpy(targets.offsets).to(logits)
    apart = functional.smooth_l1_loss(offsets, wanted, reduction="none").sum(dim=1)
    return ((entropy * counts).sum() + (apart * found).sum()) / max(1, int(found.sum()))
