"""The loss of detectors with default boxes (SSD, Liu et al., 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.algorithms.detection.box_targets import assign_boxes, hard_negatives
from paredown.algorithms.detection.default_boxes import default_boxes_for
from paredown_paddle.framework import paddle


def ssd(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001 - one signature
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
    found = targets.classes >= 0
    columns = paddle.to_tensor(np.maximum(targets.classes + 1, 0))
    is_class = paddle.nn.functional.one_hot(columns, logits.shape[1]).transpose([0, 2, 1]).astype(logits.dtype)
    entropy = paddle.logsumexp(logits, axis=1) - (logits * is_class).sum(axis=1)
    hard = hard_negatives(entropy.detach().numpy(), targets.classes)
    counts, boxes = (paddle.to_tensor(one, dtype=logits.dtype) for one in (found | hard, found))
    apart = (offsets - paddle.to_tensor(targets.offsets, dtype=offsets.dtype)).abs()
    smooth = paddle.where(apart < 1, apart.square() / 2, apart - 0.5).sum(axis=1)
    return ((entropy * counts).sum() + (smooth * boxes).sum()) / max(1, int(found.sum()))
