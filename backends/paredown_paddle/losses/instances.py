"""The loss of anchor-free detectors with masks: that on boxes, and that of prototypes and coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paredown.algorithms.detection import assign, assign_masks
from paredown_paddle.framework import paddle
from paredown_paddle.losses.detection import fcos_of


def fcos_mask(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001
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
        paddle.to_tensor(one, dtype=prototypes.dtype) for one in (wanted.chosen, wanted.masks, wanted.weights)
    )
    own = paddle.matmul(coefficients, chosen).transpose([0, 2, 1])
    found = paddle.matmul(own, prototypes.flatten(2))
    log_sigmoid = paddle.nn.functional.log_sigmoid
    entropy = -masks * log_sigmoid(found) - (1 - masks) * log_sigmoid(-found)
    return fcos_of((logits, distances, centerness), targets) + (entropy * weights).sum()
