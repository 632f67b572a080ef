"""`fcos_mobilenet_v2_small`: an anchor-free detector (FCOS, Tian et al., 2019), layer by layer as PyTorch has it."""

from __future__ import annotations

from typing import Any

from paredown.twins import FINE_BLOCKS, scaled
from paredown_paddle.framework import paddle
from paredown_paddle.mobilenet import MobileNetV2Small


class FcosParts(paddle.nn.Layer):
    """What our detectors share: the stem and the blocks of `mobilenet_v2_small`, a pyramid of two levels, and heads.

    The stem has stride 2 here, so that the levels have strides 4 and 8; its weights and those of the blocks fit the
    classifier's. Both levels share the heads, which have no BatchNorm: it could not be folded into layers that are
    called twice.
    """

    def __init__(self, num_classes: int, in_channels: int, width: float = 1.0) -> None:
        super().__init__()
        backbone = MobileNetV2Small(1, in_channels, width, stem_stride=2)
        self.stem, self.blocks = backbone.stem, backbone.blocks
        fine, coarse, inner = (scaled(channels, width, 4) for channels in (16, 80, 48))
        self.lateral4, self.lateral8 = paddle.nn.Conv2D(fine, inner, 1), paddle.nn.Conv2D(coarse, inner, 1)
        self.smooth4, self.smooth8 = (paddle.nn.Conv2D(inner, inner, 3, padding=1) for _ in range(2))
        self.class_tower, self.box_tower = _tower(inner), _tower(inner)
        self.class_logits = paddle.nn.Conv2D(inner, num_classes, 3, padding=1)
        self.box_distances = paddle.nn.Conv2D(inner, 4, 3, padding=1)
        self.centerness = paddle.nn.Conv2D(inner, 1, 3, padding=1)

    def pyramid(self, x: Any) -> tuple[Any, Any]:
        """The features of images at strides 4 and 8, with the same channels."""
        fine = self.blocks[:FINE_BLOCKS](self.stem(x))
        coarse = self.lateral8(self.blocks[FINE_BLOCKS:](fine))
        larger = paddle.nn.functional.interpolate(coarse, size=list(fine.shape[2:]), mode="nearest")
        return self.smooth4(self.lateral4(fine) + larger), self.smooth8(coarse)

    def heads(self, classes: Any, boxes: Any, stride: int) -> tuple[Any, Any, Any]:
        """Logits, distances and centerness of one level, from what its two towers gave."""
        logits = self.class_logits(classes)
        distances = paddle.nn.functional.relu(self.box_distances(boxes)) * float(stride)
        return logits.flatten(2), distances.flatten(2), self.centerness(boxes).flatten(1)


class FcosMobileNetV2Small(FcosParts):
    """The detector of boxes: these parts alone."""

    def forward(self, x: Any) -> Any:
        """Images [batch, in_channels, height, width] to a tuple over the positions of both levels.

        Returns:
            Logits [batch, num_classes, positions]; distances to the left, top, right and bottom edge of a box, in
            pixels and never negative, [batch, 4, positions]; logits of centerness, [batch, positions].
        """
        fine, coarse = self.pyramid(x)
        near = self.heads(self.class_tower(fine), self.box_tower(fine), 4)
        far = self.heads(self.class_tower(coarse), self.box_tower(coarse), 8)
        # Spelled out: Paddle's tracer does not know a strict `zip`.
        logits = paddle.concat([near[0], far[0]], axis=-1)
        distances = paddle.concat([near[1], far[1]], axis=-1)
        return logits, distances, paddle.concat([near[2], far[2]], axis=-1)


def _tower(channels: int) -> Any:
    layers = []
    for _ in range(2):
        layers += [paddle.nn.Conv2D(channels, channels, 3, padding=1), paddle.nn.ReLU()]
    return paddle.nn.Sequential(*layers)
