"""`fcos_mask_mobilenet_v2_small`: the detector with masks made of prototypes (YOLACT, Bolya et al., 2019)."""

from __future__ import annotations

from typing import Any

from paredown.twins import PROTOTYPES
from paredown_paddle.detectors import FcosParts
from paredown_paddle.framework import paddle


class FcosMaskMobileNetV2Small(FcosParts):
    """`fcos_mobilenet_v2_small`, whose layers it has under the same names, with prototypes and their coefficients.

    Prototypes come from the finer level of the pyramid, at stride 2; the coefficients of each position from the tower
    of the boxes.
    """

    def __init__(self, num_classes: int, in_channels: int, width: float = 1.0) -> None:
        super().__init__(num_classes, in_channels, width)
        inner = self.smooth4.weight.shape[0]
        self.mask_coefficients = paddle.nn.Conv2D(inner, PROTOTYPES, 3, padding=1)
        self.mask_tower = paddle.nn.Sequential(paddle.nn.Conv2D(inner, inner, 3, padding=1), paddle.nn.ReLU())
        self.prototypes = paddle.nn.Conv2D(inner, PROTOTYPES, 3, padding=1)

    def forward(self, x: Any) -> Any:
        """Images [batch, in_channels, height, width] to a tuple, over the positions of both levels but for the last.

        Returns:
            Logits, distances and centerness as `FcosMobileNetV2Small`; the coefficients of the prototypes, between -1
            and 1, [batch, 16, positions]; the prototypes, [batch, 16, height / 2, width / 2].
        """
        fine, coarse = self.pyramid(x)
        near_boxes, far_boxes = self.box_tower(fine), self.box_tower(coarse)
        near = self.heads(self.class_tower(fine), near_boxes, 4)
        far = self.heads(self.class_tower(coarse), far_boxes, 8)
        # Spelled out: Paddle's tracer does not know a strict `zip`.
        logits = paddle.concat([near[0], far[0]], axis=-1)
        distances = paddle.concat([near[1], far[1]], axis=-1)
        centerness = paddle.concat([near[2], far[2]], axis=-1)
        coefficients = paddle.concat([self._coefficients(near_boxes), self._coefficients(far_boxes)], axis=-1)
        size = [2 * fine.shape[2], 2 * fine.shape[3]]
        larger = paddle.nn.functional.interpolate(self.mask_tower(fine), size=size, mode="nearest")
        return logits, distances, centerness, coefficients, self.prototypes(larger)

    def _coefficients(self, boxes: Any) -> Any:
        return paddle.tanh(self.mask_coefficients(boxes)).flatten(2)
