"""Networks of torchvision that return a class for each pixel, with one tensor as their output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from paredown.contracts import ModelSource
from paredown_torch.zoo import uniform_width


class Segmenter(nn.Module):
    """A backbone and a classifier of its last maps, under torchvision's names, without an auxiliary classifier."""

    def __init__(self, backbone: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [N, C, H, W] to logits [N, num_classes, H, W]."""
        found = self.classifier(self.backbone(x)["out"])
        return functional.interpolate(found, size=x.shape[2:], mode="bilinear", align_corners=False)


def build(source: ModelSource) -> nn.Module:
    """Builds a network for pixels with weights drawn by torchvision, and with as many input channels as asked for."""
    from paredown_torch.zoo.vision import rebuild_stem

    model = BUILDERS[source.name](source.num_classes, source.width)
    if source.in_channels != 3:
        rebuild_stem(model, source.in_channels)
    return model


def _fcn(num_classes: int, width: float) -> nn.Module:
    """FCN (Long, Shelhamer and Darrell, 2015) on a dilated resnet50."""
    from torchvision.models.segmentation import fcn_resnet50

    return _on_resnet(fcn_resnet50, num_classes, width)


def _deeplab(num_classes: int, width: float) -> nn.Module:
    """DeepLabV3 (Chen et al., 2017) on a dilated resnet50."""
    from torchvision.models.segmentation import deeplabv3_resnet50

    return _on_resnet(deeplabv3_resnet50, num_classes, width)


def _on_resnet(network: Callable[..., Any], num_classes: int, width: float) -> nn.Module:
    def whole() -> nn.Module:
        found = network(weights=None, weights_backbone=None, num_classes=num_classes)
        return Segmenter(found.backbone, found.classifier)

    return uniform_width.build(whole, width)


def _small(num_classes: int, width: float) -> nn.Module:
    from paredown_torch.zoo import lraspp

    return lraspp.small(num_classes, width)


def _large(num_classes: int, width: float) -> nn.Module:
    from paredown_torch.zoo import lraspp

    return lraspp.large(num_classes, width)


BUILDERS: dict[str, Callable[[int, float], nn.Module]] = {
    "lraspp_mobilenet_v3_small": _small,
    "lraspp_mobilenet_v3_large": _large,
    "fcn_resnet50": _fcn,
    "deeplabv3_resnet50": _deeplab,
}
"""By name; each takes the number of classes and the factor of its channels."""
