"""LR-ASPP on MobileNetV3 (Howard et al., 2019, "Searching for MobileNetV3", section 6.4), as torchvision has it."""

from __future__ import annotations

from typing import Any

from paredown.twins import scaled
from paredown_paddle.framework import paddle
from paredown_paddle.replace import replace_layer
from paredown_paddle.twins import batch_norm

_LOW, _LAST_STAGE = 1, 8
"""The block whose maps are an eighth of the image, and the first of the last stage."""
_LOW_CHANNELS, _LAST_CHANNELS, _INNER = 24, 96, 128
"""Of that block, of the last one, and inside the head, at width 1."""


class LrasppSmall(paddle.nn.Layer):
    """The features of `mobilenet_v3_small` and a light head that joins its last maps with those at an eighth.

    The stride of the last stage is given to the dilation of its convolutions, so that its maps are a sixteenth.
    """

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        whole = paddle.vision.models.mobilenet_v3_small(scale=width, num_classes=0, with_pool=False)
        for block in list(whole.blocks)[_LAST_STAGE:]:
            _dilate(block.bottleneck_conv)
        self.backbone = paddle.nn.Sequential(whole.conv, *whole.blocks, whole.lastconv)
        self.classifier = LrasppHead(num_classes, width)

    def forward(self, x: Any) -> Any:
        """Images [batch, in_channels, height, width] to logits [batch, num_classes, height, width]."""
        size, low = list(x.shape[2:]), None
        for index, layer in enumerate(self.backbone):
            x = layer(x)
            if index == 1 + _LOW:
                low = x
        return _resized(self.classifier(low, x), size)


class LrasppHead(paddle.nn.Layer):
    """Two classifiers of single pixels: of the finer maps, and of the last ones, weighted by what the image holds."""

    def __init__(self, num_classes: int, width: float) -> None:
        super().__init__()
        low, high, inner = scaled(_LOW_CHANNELS, width), 6 * scaled(_LAST_CHANNELS, width), scaled(_INNER, width)
        convolution = paddle.nn.Conv2D(high, inner, 1, bias_attr=False)
        self.cbr = paddle.nn.Sequential(convolution, batch_norm(inner), paddle.nn.ReLU())
        self.scale = paddle.nn.Sequential(
            paddle.nn.AdaptiveAvgPool2D(1),
            paddle.nn.Conv2D(high, inner, 1, bias_attr=False),
            paddle.nn.Sigmoid(),
        )
        self.low_classifier = paddle.nn.Conv2D(low, num_classes, 1)
        self.high_classifier = paddle.nn.Conv2D(inner, num_classes, 1)

    def forward(self, low: Any, high: Any) -> Any:
        """Maps of an eighth and of a sixteenth of the image to logits at an eighth."""
        x = self.cbr(high) * self.scale(high)
        return self.low_classifier(low) + self.high_classifier(_resized(x, list(low.shape[2:])))


def _resized(x: Any, size: list[int]) -> Any:
    return paddle.nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _dilate(part: Any) -> None:
    """Puts a depthwise convolution of stride 1 and dilation 2 in the place of one of a block."""
    old = next(layer for layer in part.sublayers() if isinstance(layer, paddle.nn.Conv2D))
    channels, kernel = old._out_channels, old._kernel_size
    padding = [2 * (size // 2) for size in kernel]
    new = paddle.nn.Conv2D(
        channels, channels, kernel, stride=1, padding=padding, dilation=2, groups=channels, bias_attr=False
    )
    replace_layer(part, old, new)
