"""The names of the networks that the backends build: those that both frameworks hold, parameter by parameter, first."""

from __future__ import annotations

import math
from collections.abc import Mapping

from paredown.errors import ModelError
from paredown.spec.widths import Widths, misfit

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

PIXELS = ("unet", "lraspp_mobilenet_v3_small")
"""Networks that return a class for each pixel, on both backends; `unet` is of our own."""

TORCH_PIXELS = ("lraspp_mobilenet_v3_large", "fcn_resnet50", "deeplabv3_resnet50")
"""Networks of torchvision that return a class for each pixel, which Paddle does not hold."""

TORCH_ONLY = (
    "efficientnet_b0",
    "vit_b_16",
    "convnext_tiny",
    "regnet_y_400mf",
    "mnasnet1_0",
    "squeezenet1_1",
)
"""A sample of other families of torchvision, which Paddle does not hold."""

DETECTORS = ("fcos_mobilenet_v2_small",)
"""Networks of our own that return boxes, on both backends."""

MASK_DETECTORS = ("fcos_mask_mobilenet_v2_small",)
"""Networks of our own that return boxes and masks, on both backends."""

TORCH_DETECTORS = ("ssdlite320_mobilenet_v3_large",)
"""Networks of torchvision that return boxes, which Paddle does not hold."""

PROTOTYPES = 16
"""The prototypes of which a detector makes its masks."""

FINE_BLOCKS = 6
"""The blocks of `mobilenet_v2_small` before the detector's finer level."""

INITIAL_BIASES: Mapping[str, Mapping[str, float]] = {
    name: {"class_logits.bias": -math.log(99), "box_distances.bias": 1.0} for name in (*DETECTORS, *MASK_DETECTORS)
}
"""Biases that do not start from 0, by network: each class at a hundredth (Lin et al., 2017, section 4.1), so that the
many positions without an object do not drown the few with one, and distances where a ReLU lets gradients through."""

_HEADS = ("class_logits.weight", "box_distances.weight", "centerness.weight")
_SSD_HEADS = [
    f"head.{branch}_head.module_list.{level}.1.weight"
    for branch in ("classification", "regression")
    for level in range(6)
]
INITIAL_DEVIATIONS: Mapping[str, Mapping[str, float]] = {
    **{name: dict.fromkeys(_HEADS, 0.01) for name in DETECTORS},
    **{
        name: dict.fromkeys((*_HEADS, "mask_coefficients.weight", "prototypes.weight"), 0.01) for name in MASK_DETECTORS
    },
    **{name: dict.fromkeys(_SSD_HEADS, 0.03) for name in TORCH_DETECTORS},
}
"""Standard deviations of convolutions that He's rule would start too large, by network: the first answers of the heads
are their biases then, and none of the losses outweighs the others (Lin et al., 2017, section 4.1). torchvision starts
its SSDLite's at 0.03."""

UNIFORM = (
    "resnet18",
    "resnet50",
    "wide_resnet50_2",
    "resnext50_32x4d",
    "vgg11",
    "vgg11_bn",
    "densenet121",
    "squeezenet1_1",
    "fcn_resnet50",
    "deeplabv3_resnet50",
)
"""Networks whose libraries fix their channels: built whole, then every count of channels is multiplied by the width."""

NAMED_BY_WIDTH = {"shufflenet_v2_x1_0": {0.5: "shufflenet_v2_x0_5", 1.5: "shufflenet_v2_x1_5"}}
"""Networks whose other widths both frameworks hold under names of their own; those of 2 differ from each other."""

WIDTHS = {
    **dict.fromkeys((*OWN, *DETECTORS, *MASK_DETECTORS, "unet"), Widths()),
    **dict.fromkeys(UNIFORM, Widths(parts=8)),
    **dict.fromkeys(("mobilenet_v2", "mnasnet1_0", "efficientnet_b0", "regnet_y_400mf", "convnext_tiny"), Widths()),
    **dict.fromkeys(("mobilenet_v3_small", "mobilenet_v3_large"), Widths(least=0.15)),
    **dict.fromkeys(("lraspp_mobilenet_v3_small", "lraspp_mobilenet_v3_large"), Widths(least=0.15)),
    "mobilenet_v1": Widths(least=0.03125),
    "shufflenet_v2_x1_0": Widths(most=1.5, parts=2),
    "vit_b_16": Widths(parts=4),
}
"""Networks that are built at other widths than 1, with those that each takes.

Below its least width a layer of `mobilenet_v1` has no channels left, and blocks of `mobilenet_v3` widen nothing and
lose their first convolution. The channel counts of those that are `UNIFORM` are multiples of 8 or more eighths.
Those of `vit_b_16` are three of its heads each, and 64 channels for each head."""


UNET_CHANNELS = (16, 32, 64, 128)
"""The channels of `unet` at each size of its maps, at width 1."""


def widths_of(names: tuple[str, ...]) -> dict[str, Widths]:
    """The widths that those of the networks take which take others than 1, as a backend announces it."""
    return {name: WIDTHS[name] for name in names if name in WIDTHS}


def outputs_of(names: tuple[str, ...]) -> dict[str, str]:
    """What those of the networks return that return no `classes`, as a backend announces it."""
    kinds = {
        **dict.fromkeys((*PIXELS, *TORCH_PIXELS), "pixels"),
        **dict.fromkeys((*DETECTORS, *TORCH_DETECTORS), "boxes"),
        **dict.fromkeys(MASK_DETECTORS, "masks"),
    }
    return {name: kinds[name] for name in names if name in kinds}


def require_width(network: str, width: float, *, is_pretrained: bool) -> None:
    """Refuses a width that the network does not take.

    Raises:
        ModelError: It has one width only, a greater least one, or pretrained weights for width 1 alone.
    """
    found = misfit(network, width, "pretrained" if is_pretrained else None, WIDTHS)
    if found is not None:
        raise ModelError(
            found.what, where="model.width", value=found.value, expected=found.expected, remedy=found.remedy
        )


def scaled(channels: int, width: float, divisor: int = 8) -> int:
    """The channels of a layer of our own networks: a multiple of `divisor`, and at least nine tenths of the product.

    MobileNets round so (Sandler et al., 2018), torchvision's and Paddle's alike.
    """
    wanted = channels * width
    nearest = max(divisor, int(wanted / divisor + 0.5) * divisor)
    return nearest + divisor if nearest < 0.9 * wanted else nearest
