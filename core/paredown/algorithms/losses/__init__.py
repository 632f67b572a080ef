"""NumPy references of the training losses; the backends' own implementations are tested against them."""

from __future__ import annotations

from paredown.algorithms.losses.features import attention, cwd, feature_l2
from paredown.algorithms.losses.logits import dist, dkd, hard_label, kl, log_softmax, mse, soft_cross_entropy
from paredown.algorithms.losses.relations import fsp, rkd, similarity

__all__ = [
    "attention",
    "cwd",
    "dist",
    "dkd",
    "feature_l2",
    "fsp",
    "hard_label",
    "kl",
    "log_softmax",
    "mse",
    "rkd",
    "similarity",
    "soft_cross_entropy",
]
