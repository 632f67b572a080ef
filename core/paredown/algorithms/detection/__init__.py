"""Detection in NumPy: positions or default boxes, targets of training, and what is detected.

A detector returns a tuple, whose length says which head it has. Without anchors (FCOS, Tian et al., 2019) it has three
outputs: logits [batch, classes, positions], distances [batch, 4, positions] to the left, top, right and bottom edge of
a box, in pixels and never negative, and centerness logits [batch, positions]. One with masks (YOLACT, Bolya et al.,
2019) returns two more: coefficients [batch, prototypes, positions], and prototypes [batch, prototypes, height, width],
whose cells are two by two pixels large. With default boxes (SSD, Liu et al., 2016) it has two outputs: logits [batch,
1 + classes, boxes], the background first, and offsets [batch, 4, boxes].
"""

from __future__ import annotations

from paredown.algorithms.detection.box_targets import BoxTargets, assign_boxes, hard_negatives
from paredown.algorithms.detection.decoding import Detections, decode
from paredown.algorithms.detection.default_boxes import default_boxes
from paredown.algorithms.detection.imitation import guides, position_weights
from paredown.algorithms.detection.instances import Instances, decode_instances, mask_overlap
from paredown.algorithms.detection.mask_targets import MaskTargets, assign_masks, prototype_size
from paredown.algorithms.detection.matching import shared_detections, shared_instances
from paredown.algorithms.detection.positions import STRIDES, Positions, positions
from paredown.algorithms.detection.targets import BACKGROUND, IGNORED, Targets, assign

__all__ = [
    "BACKGROUND",
    "IGNORED",
    "STRIDES",
    "BoxTargets",
    "Detections",
    "Instances",
    "MaskTargets",
    "Positions",
    "Targets",
    "assign",
    "assign_boxes",
    "assign_masks",
    "decode",
    "decode_instances",
    "default_boxes",
    "guides",
    "hard_negatives",
    "mask_overlap",
    "position_weights",
    "positions",
    "prototype_size",
    "shared_detections",
    "shared_instances",
]
