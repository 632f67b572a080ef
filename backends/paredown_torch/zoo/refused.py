"""Networks that torchvision has and that this backend does not build, by name: why, and what to take in their place."""

from __future__ import annotations

from collections.abc import Mapping

from paredown.contracts import RefusedNetwork

_ANSWERS = "returns a list of dictionaries, whose sizes depend on the image"
_INSIDE = (
    f"it finds its boxes inside the network and {_ANSWERS}: torch.export refuses that, and nothing can be compared, "
    "distilled or quantized by place"
)
_TWO_STAGES = (
    f"its second stage runs on the boxes that its first one finds, and it {_ANSWERS}: torch.export refuses that, the "
    "older exporter writes a file for one number of images of one size, and nothing can be compared, distilled or "
    "quantized by place"
)
_BOXES = (
    "take `fcos_mobilenet_v2_small` under the task `detection`, on both backends, or torchvision's "
    "`ssdlite320_mobilenet_v3_large`, on torch: they return plain tensors"
)
_MASKS = "take `fcos_mask_mobilenet_v2_small` under the task `instance_segmentation`, on both backends"
_KEYPOINTS = "no network of the zoo finds key points; `fcos_mobilenet_v2_small` finds boxes"

_ONE_STAGE_DETECTORS = (
    "ssd300_vgg16",
    "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2",
    "fcos_resnet50_fpn",
)
_TWO_STAGE_DETECTORS = (
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
)
_MASK_DETECTORS = ("maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2")

REFUSED: Mapping[str, RefusedNetwork] = {
    **dict.fromkeys(_ONE_STAGE_DETECTORS, RefusedNetwork(_INSIDE, _BOXES)),
    **dict.fromkeys(_TWO_STAGE_DETECTORS, RefusedNetwork(_TWO_STAGES, _BOXES)),
    **dict.fromkeys(_MASK_DETECTORS, RefusedNetwork(_TWO_STAGES, _MASKS)),
    "keypointrcnn_resnet50_fpn": RefusedNetwork(_TWO_STAGES, _KEYPOINTS),
}
