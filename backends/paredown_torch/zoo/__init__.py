"""The networks that this backend builds by name. Importing this package imports no framework."""

TWINS: tuple[str, ...] = ("resnet20", "cnn")
"""Networks of our own, with the same layer names on every backend."""

VISION: tuple[str, ...] = (
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
"""Networks of torchvision, under torchvision's names."""

NAMES: tuple[str, ...] = TWINS + VISION
