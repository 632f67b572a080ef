"""NumPy references of the training losses; the backends' own implementations are tested against them."""

from __future__ import annotations

from paredown.algorithms.losses.default_boxes import ssd
from paredown.algorithms.losses.detection import detection, fcos, fcos_terms
from paredown.algorithms.losses.features import attention, cwd, feature_l2
from paredown.algorithms.losses.imitation import box_imitation
from paredown.algorithms.losses.instances import fcos_mask, mask_entropy
from paredown.algorithms.losses.labels import binary_cross_entropy, pixel_cross_entropy
from paredown.algorithms.losses.logits import dist, dkd, hard_label, kl, log_softmax, mse, soft_cross_entropy
from paredown.algorithms.losses.relations import fsp, rkd, similarity

__all__ = [
    "attention",
    "binary_cross_entropy",
    "box_imitation",
    "cwd",
    "detection",
    "dist",
    "dkd",
    "fcos",
    "fcos_mask",
    "fcos_terms",
    "feature_l2",
    "fsp",
    "hard_label",
    "kl",
    "log_softmax",
    "mask_entropy",
    "mse",
    "pixel_cross_entropy",
    "rkd",
    "similarity",
    "soft_cross_entropy",
    "ssd",
]
