"""`ssdlite320_mobilenet_v3_large`: torchvision's SSDLite (Howard et al., 2019, section 6.3) as a network of tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.detection import ssdlite320_mobilenet_v3_large
from torchvision.models.detection.ssdlite import SSDLiteFeatureExtractorMobileNet, SSDLiteHead

from paredown.contracts import ModelSource
from paredown_torch.zoo.vision import rebuild_stem

OFFSETS = 4
"""Of a default box."""


class Ssdlite(nn.Module):
    """torchvision's backbone and heads, under its names; its resizing, default boxes and suppression are not in it."""

    def __init__(self, backbone: SSDLiteFeatureExtractorMobileNet, head: SSDLiteHead, num_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self._columns = 1 + num_classes

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Maps images [N, C, H, W] to a tuple over the default boxes of `paredown.algorithms.detection`.

        Returns:
            Logits [N, 1 + num_classes, boxes], the background first; offsets [N, 4, boxes].
        """
        maps = list(self.backbone(x).values())
        classes, boxes = self.head.classification_head.module_list, self.head.regression_head.module_list
        return _joined(classes, maps, self._columns), _joined(boxes, maps, OFFSETS)


def build(source: ModelSource) -> nn.Module:
    """Builds the network for `num_classes` classes beside the background, with as many input channels as asked for."""
    whole = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=1 + source.num_classes)
    assert isinstance(whole.backbone, SSDLiteFeatureExtractorMobileNet)
    assert isinstance(whole.head, SSDLiteHead)
    model = Ssdlite(whole.backbone, whole.head, source.num_classes)
    if source.in_channels != 3:
        rebuild_stem(model, source.in_channels)
    return model


def _joined(heads: nn.ModuleList, maps: list[Tensor], columns: int) -> Tensor:
    """What the heads of all levels say of every default box: [N, columns, boxes]."""
    answers = [head(one).unflatten(1, (-1, columns)) for head, one in zip(heads, maps, strict=True)]
    return torch.cat([one.permute(0, 2, 3, 4, 1).flatten(2) for one in answers], dim=2)
