"""Anchor-free detection (FCOS, Tian et al., 2019) in NumPy: positions, targets of training, and what is detected.

A detector returns a tuple: logits [batch, classes, positions], distances [batch, 4, positions] to the left, top, right
and bottom edge of a box, in pixels and never negative, and centerness logits [batch, positions].
"""

from __future__ import annotations

from paredown.algorithms.detection.decoding import Detections, decode
from paredown.algorithms.detection.matching import agreement
from paredown.algorithms.detection.positions import STRIDES, Positions, positions
from paredown.algorithms.detection.targets import BACKGROUND, IGNORED, Targets, assign

__all__ = [
    "BACKGROUND",
    "IGNORED",
    "STRIDES",
    "Detections",
    "Positions",
    "Targets",
    "agreement",
    "assign",
    "decode",
    "positions",
]
