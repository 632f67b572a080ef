"""The names of the networks that both frameworks hold, parameter by parameter."""

from __future__ import annotations

OWN = ("resnet20", "cnn")
"""Networks of our own, with the same layer names on every backend."""

SHARED = (
    "resnet18",
    "resnet50",
    "wide_resnet50_2",
    "resnext50_32x4d",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "vgg11",
    "vgg11_bn",
    "densenet121",
    "shufflenet_v2_x1_0",
)
"""Networks that `torchvision.models` and `paddle.vision.models` share."""
