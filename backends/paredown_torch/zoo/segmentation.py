"""Networks of torchvision that return a class for each pixel, with one tensor as their output."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from paredown.contracts import ModelSource


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

    model = BUILDERS[source.name](source.num_classes)
    if source.in_channels != 3:
        rebuild_stem(model, source.in_channels)
    return model


def _fcn(num_classes: int) -> nn.Module:
    """FCN (Long, Shelhamer and Darrell, 2015) on a dilated resnet50."""
    from torchvision.models.segmentation import fcn_resnet50

    whole = fcn_resnet50(weights=None, weights_backbone=None, num_classes=num_classes)
    return Segmenter(whole.backbone, whole.classifier)


def _deeplab(num_classes: int) -> nn.Module:
    """DeepLabV3 (Chen et al., 2017) on a dilated resnet50."""
    from torchvision.models.segmentation import deeplabv3_resnet50

    whole = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=num_classes)
    return Segmenter(whole.backbone, whole.classifier)


def _small(num_classes: int) -> nn.Module:
    from paredown_torch.zoo import lraspp

    return lraspp.small(num_classes)


def _large(num_classes: int) -> nn.Module:
    from paredown_torch.zoo import lraspp

    return lraspp.large(num_classes)


BUILDERS: dict[str, Callable[[int], nn.Module]] = {
    "lraspp_mobilenet_v3_small": _small,
    "lraspp_mobilenet_v3_large": _large,
    "fcn_resnet50": _fcn,
    "deeplabv3_resnet50": _deeplab,
}
"""By name; each takes the number of classes."""
