"""LR-ASPP on MobileNetV3 (Howard et al., 2019, "Searching for MobileNetV3", section 6.4), under torchvision's names."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional
from torchvision import models
from torchvision.models.segmentation.lraspp import LRASPPHead

from paredown.twins import scaled

INNER = 128
"""Channels inside the head, at width 1."""


class Lraspp(nn.Module):
    """The features of a MobileNetV3 and a light head that joins its last maps with those at an eighth of the image.

    The stride of the last stage is given to the dilation of its convolutions, so that its maps are a sixteenth.
    """

    def __init__(self, features: nn.Sequential, low: int, channels: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        self.backbone = nn.ModuleDict({str(index): layer for index, layer in enumerate(features)})
        self.classifier = LRASPPHead(*channels[:2], num_classes, channels[2])
        self._low = str(low)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [N, C, H, W] to logits [N, num_classes, H, W]."""
        size, low = x.shape[2:], x
        for name, layer in self.backbone.items():
            x = layer(x)
            if name == self._low:
                low = x
        x = self.classifier({"low": low, "high": x})
        return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


def small(num_classes: int, width: float) -> nn.Module:
    """`lraspp_mobilenet_v3_small`, which torchvision has the parts of."""
    return _on(models.mobilenet_v3_small, 2, num_classes, width)


def large(num_classes: int, width: float) -> nn.Module:
    """`lraspp_mobilenet_v3_large`, parameter by parameter torchvision's."""
    return _on(models.mobilenet_v3_large, 4, num_classes, width)


def _on(build: Callable[..., models.MobileNetV3], low: int, num_classes: int, width: float) -> nn.Module:
    """A network on the features of another; `low` are those at an eighth."""
    features = build(weights=None, dilated=True, width_mult=width).features
    assert isinstance(features, nn.Sequential)
    channels = (_channels(features[low]), _channels(features[-1]), scaled(INNER, width))
    return Lraspp(features, low, channels, num_classes)


def _channels(part: nn.Module) -> int:
    """What the last convolution of a part gives."""
    return [layer for layer in part.modules() if isinstance(layer, nn.Conv2d)][-1].out_channels
