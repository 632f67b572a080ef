"""Training losses on Paddle's tensors, tested against the references in `paredown.algorithms.losses`."""

from __future__ import annotations

from paredown_paddle.losses.detection import detection
from paredown_paddle.losses.features import attention, cwd, feature_l2
from paredown_paddle.losses.imitation import box_imitation
from paredown_paddle.losses.instances import fcos_mask
from paredown_paddle.losses.labels import binary_cross_entropy, pixel_cross_entropy
from paredown_paddle.losses.logits import dist, dkd, hard_label, kl, mse, soft_cross_entropy
from paredown_paddle.losses.relations import fsp, rkd, similarity

__all__ = [
    "attention",
    "binary_cross_entropy",
    "box_imitation",
    "cwd",
    "detection",
    "dist",
    "dkd",
    "fcos_mask",
    "feature_l2",
    "fsp",
    "hard_label",
    "kl",
    "mse",
    "pixel_cross_entropy",
    "rkd",
    "similarity",
    "soft_cross_entropy",
]
