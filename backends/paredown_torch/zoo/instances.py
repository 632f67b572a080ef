"""`fcos_mask_mobilenet_v2_small`: the detector with masks made of prototypes (YOLACT, Bolya et al., 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from paredown.twins import PROTOTYPES
from paredown_torch.zoo.detectors import FcosParts


class FcosMaskMobileNetV2Small(FcosParts):
    """`fcos_mobilenet_v2_small`, whose layers it has under the same names, with prototypes and their coefficients.

    Prototypes come from the finer level of the pyramid, at stride 2; the coefficients of each position from the tower
    of the boxes.
    """

    def __init__(self, num_classes: int, in_channels: int, width: float = 1.0) -> None:
        super().__init__(num_classes, in_channels, width)
        inner = self.smooth4.out_channels
        self.mask_coefficients = nn.Conv2d(inner, PROTOTYPES, 3, padding=1)
        self.mask_tower = nn.Sequential(nn.Conv2d(inner, inner, 3, padding=1), nn.ReLU())
        self.prototypes = nn.Conv2d(inner, PROTOTYPES, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Maps images [N, C, H, W] to a tuple, over the positions of both levels but for the last.

        Returns:
            Logits, distances and centerness as `FcosMobileNetV2Small`; the coefficients of the prototypes, between -1
            and 1, [N, 16, positions]; the prototypes, [N, 16, H / 2, W / 2].
        """
        fine, coarse = self.pyramid(x)
        boxes = [self.box_tower(fine), self.box_tower(coarse)]
        near = self.heads(self.class_tower(fine), boxes[0], 4)
        far = self.heads(self.class_tower(coarse), boxes[1], 8)
        logits, distances, centerness = (torch.cat(parts, dim=-1) for parts in zip(near, far, strict=True))
        coefficients = torch.cat([torch.tanh(self.mask_coefficients(one)).flatten(2) for one in boxes], dim=-1)
        larger = functional.interpolate(
            self.mask_tower(fine), size=(2 * fine.shape[2], 2 * fine.shape[3]), mode="nearest"
        )
        return logits, distances, centerness, coefficients, self.prototypes(larger)
