"""The network in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut of one 1x1 convolution."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Conv2d(before, channels, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features [N, before, H, W] to [N, channels, H / 2, W / 2]."""
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.shortcut(x))


class OwnNetwork(nn.Module):
    """A stem, a block for each width, and a classifier."""

    def __init__(self, in_channels: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(in_channels, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]))
        self.blocks = nn.Sequential(*map(Block, widths, widths[1:]))
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images [N, C, H, W] to logits [N, classes]."""
        return self.classifier(self.blocks(torch.relu(self.stem(x))).mean((2, 3)))


def build(classes: int, widths: Sequence[int], in_channels: int = 1) -> nn.Module:
    """The network; the spec's `options` are the arguments."""
    return OwnNetwork(in_channels, classes, widths)
