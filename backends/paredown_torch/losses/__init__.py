"""Training losses on torch's tensors, tested against the references in `paredown.algorithms.losses`."""

from __future__ import annotations

from paredown_torch.losses.detection import detection
from paredown_torch.losses.features import attention, cwd, feature_l2
from paredown_torch.losses.imitation import box_imitation
from paredown_torch.losses.instances import fcos_mask
from paredown_torch.losses.labels import binary_cross_entropy, pixel_cross_entropy
from paredown_torch.losses.logits import dist, dkd, hard_label, kl, mse, soft_cross_entropy
from paredown_torch.losses.relations import fsp, rkd, similarity

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
