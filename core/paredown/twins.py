"""The names of the networks that the backends build: those that both frameworks hold, parameter by parameter, first."""

from __future__ import annotations

OWN = ("resnet20", "cnn", "mobilenet_v2_small")
"""Networks of our own, with the same layer names on every backend."""

SHARED = (
    "resnet18",
    "resnet50",
    "wide_resnet50_2",
    "resnext50_32x4d",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "vgg11",
    "vgg11_bn",
    "densenet121",
    "shufflenet_v2_x1_0",
)
"""Networks that `torchvision.models` and `paddle.vision.models` share; on torch `mobilenet_v1` is our own."""

TORCH_ONLY = (
    "efficientnet_b0",
    "vit_b_16",
    "convnext_tiny",
    "regnet_y_400mf",
    "mnasnet1_0",
    "squeezenet1_1",
)
"""A sample of other families of torchvision, which Paddle does not hold."""
