"""`mobilenet_v2_small`: MobileNetV2 for small images, layer by layer as PyTorch has it."""

from __future__ import annotations

from typing import Any

from paredown.twins import scaled
from paredown_paddle.framework import paddle
from paredown_paddle.twins import batch_norm

_STEM, _HEAD = 16, 160
_STAGES = ((1, 8, 1, 1), (6, 12, 2, 2), (6, 16, 3, 1), (6, 32, 3, 2), (6, 48, 2, 1), (6, 80, 1, 1))
"""Expansion, channels, blocks, stride of the first block."""


class InvertedResidual(paddle.nn.Layer):
    """A 1x1 expansion, a 3x3 depthwise convolution and a 1x1 projection, around a shortcut where shapes allow one."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expand = _convolution(in_channels, hidden, 1) if expansion != 1 else None
        self.depthwise = _convolution(hidden, hidden, 3, stride, groups=hidden)
        project = paddle.nn.Conv2D(hidden, out_channels, 1, bias_attr=False)
        self.project = paddle.nn.Sequential(project, batch_norm(out_channels))
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Any) -> Any:
        """Features [batch, in_channels, height, width] to [batch, out_channels, height / stride, width / stride]."""
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.has_shortcut else y


class MobileNetV2Small(paddle.nn.Layer):
    """MobileNetV2 (Sandler et al., 2018, table 2) with narrower stages and a stem that does not shrink the image.

    Channels times `width` are rounded to multiples of 4; the head is never narrower than at width 1.
    """

    def __init__(self, num_classes: int, in_channels: int, width: float = 1.0, stem_stride: int = 1) -> None:
        super().__init__()
        before, head = scaled(_STEM, width, 4), scaled(_HEAD, max(1.0, width), 4)
        self.stem = _convolution(in_channels, before, 3, stem_stride)
        blocks = []
        for expansion, outputs, count, stride in _STAGES:
            channels = scaled(outputs, width, 4)
            for index in range(count):
                blocks.append(InvertedResidual(before, channels, stride if index == 0 else 1, expansion))
                before = channels
        self.blocks = paddle.nn.Sequential(*blocks)
        self.head = _convolution(before, head, 1)
        self.avgpool = paddle.nn.AdaptiveAvgPool2D(1)
        self.flatten = paddle.nn.Flatten()
        self.classifier = paddle.nn.Linear(head, num_classes)

    def forward(self, x: Any) -> Any:
        """Images [batch, in_channels, height, width] to logits [batch, num_classes]."""
        x = self.head(self.blocks(self.stem(x)))
        return self.classifier(self.flatten(self.avgpool(x)))


def _convolution(in_channels: int, out_channels: int, size: int, stride: int = 1, groups: int = 1) -> Any:
    """A convolution that keeps the image's size at stride 1, BatchNorm and ReLU6."""
    convolution = paddle.nn.Conv2D(
        in_channels, out_channels, size, stride, padding=size // 2, groups=groups, bias_attr=False
    )
    return paddle.nn.Sequential(convolution, batch_norm(out_channels), paddle.nn.ReLU6())
