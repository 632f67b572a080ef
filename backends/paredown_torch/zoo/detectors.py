"""`fcos_mobilenet_v2_small`: an anchor-free detector (FCOS, Tian et al., 2019) for small images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from paredown.twins import FINE_BLOCKS, scaled
from paredown_torch.zoo.mobilenets import MobileNetV2Small


class FcosParts(nn.Module):
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
        self.lateral4, self.lateral8 = nn.Conv2d(fine, inner, 1), nn.Conv2d(coarse, inner, 1)
        self.smooth4, self.smooth8 = (nn.Conv2d(inner, inner, 3, padding=1) for _ in range(2))
        self.class_tower, self.box_tower = _tower(inner), _tower(inner)
        self.class_logits = nn.Conv2d(inner, num_classes, 3, padding=1)
        self.box_distances = nn.Conv2d(inner, 4, 3, padding=1)
        self.centerness = nn.Conv2d(inner, 1, 3, padding=1)

    def pyramid(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The features of images at strides 4 and 8, with the same channels."""
        fine = self.blocks[:FINE_BLOCKS](self.stem(x))
        coarse = self.lateral8(self.blocks[FINE_BLOCKS:](fine))
        fine = self.lateral4(fine) + functional.interpolate(coarse, size=fine.shape[2:], mode="nearest")
        return self.smooth4(fine), self.smooth8(coarse)

    def heads(self, classes: Tensor, boxes: Tensor, stride: int) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, distances and centerness of one level, from what its two towers gave."""
        logits = self.class_logits(classes)
        distances = functional.relu(self.box_distances(boxes)) * float(stride)
        return logits.flatten(2), distances.flatten(2), self.centerness(boxes).flatten(1)


class FcosMobileNetV2Small(FcosParts):
    """The detector of boxes: these parts alone."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps images [N, C, H, W] to a tuple over the positions of both levels.

        Returns:
            Logits [N, num_classes, positions]; distances to the left, top, right and bottom edge of a box, in pixels
            and never negative, [N, 4, positions]; logits of centerness, [N, positions].
        """
        fine, coarse = self.pyramid(x)
        near = self.heads(self.class_tower(fine), self.box_tower(fine), 4)
        far = self.heads(self.class_tower(coarse), self.box_tower(coarse), 8)
        logits, distances, centerness = (torch.cat(parts, dim=-1) for parts in zip(near, far, strict=True))
        return logits, distances, centerness


def _tower(channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(2):
        layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)
