"""The network in PaddlePaddle: the same layers under the same names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import paddle
from paddle import nn


class Block(nn.Layer):
    """Two 3x3 convolutions around a shortcut of one 1x1 convolution."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2D(before, channels, 3, 2, 1, bias_attr=False)
        self.bn1 = nn.BatchNorm2D(channels)
        self.conv2 = nn.Conv2D(channels, channels, 3, 1, 1, bias_attr=False)
        self.bn2 = nn.BatchNorm2D(channels)
        self.shortcut = nn.Conv2D(before, channels, 1, 2)

    def forward(self, x: Any) -> Any:
        """Features [N, before, H, W] to [N, channels, H / 2, W / 2]."""
        y = self.bn2(self.conv2(nn.functional.relu(self.bn1(self.conv1(x)))))
        return nn.functional.relu(y + self.shortcut(x))


class OwnNetwork(nn.Layer):
    """A stem, a block for each width, and a classifier."""

    def __init__(self, in_channels: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2D(in_channels, widths[0], 3, 1, 1, bias_attr=False), nn.BatchNorm2D(widths[0])
        )
        self.blocks = nn.Sequential(*map(Block, widths, widths[1:]))
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, x: Any) -> Any:
        """Images [N, C, H, W] to logits [N, classes]."""
        return self.classifier(paddle.mean(self.blocks(nn.functional.relu(self.stem(x))), axis=[2, 3]))


def build(classes: int, widths: Sequence[int], in_channels: int = 1) -> nn.Layer:
    """The network; the spec's `options` are the arguments."""
    return OwnNetwork(in_channels, classes, widths)
