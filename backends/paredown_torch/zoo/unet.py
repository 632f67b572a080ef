"""`unet`: a small U-Net of our own, layer by layer as Paddle has it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from paredown.twins import UNET_CHANNELS, scaled


class DoubleConvolution(nn.Module):
    """Two 3x3 convolutions that keep the image's size, each with BatchNorm and ReLU."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, in_channels, H, W] to [N, channels, H, W]."""
        x = self.relu1(self.bn1(self.conv1(x)))
        return self.relu2(self.bn2(self.conv2(x)))  # type: ignore[no-any-return]  # torch types a module's call as Any


class UNet(nn.Module):
    """U-Net (Ronneberger, Fischer and Brox, 2015) with 16 to 128 channels and three poolings, for 8 pixels or more.

    Unlike the original its convolutions are padded, so that outputs have the image's size, and each stage of the way up
    repeats the nearest pixels in place of a transposed convolution.
    """

    def __init__(self, num_classes: int, in_channels: int, width: float = 1.0) -> None:
        super().__init__()
        first, second, third, fourth = (scaled(channels, width) for channels in UNET_CHANNELS)
        self.encoder1 = DoubleConvolution(in_channels, first)
        self.pool1 = nn.MaxPool2d(2)
        self.encoder2 = DoubleConvolution(first, second)
        self.pool2 = nn.MaxPool2d(2)
        self.encoder3 = DoubleConvolution(second, third)
        self.pool3 = nn.MaxPool2d(2)
        self.bottleneck = DoubleConvolution(third, fourth)
        self.decoder3 = DoubleConvolution(fourth + third, third)
        self.decoder2 = DoubleConvolution(third + second, second)
        self.decoder1 = DoubleConvolution(second + first, first)
        self.head = nn.Conv2d(first, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [N, C, H, W] to logits [N, num_classes, H, W]; H and W are at least 8."""
        first = self.encoder1(x)
        second = self.encoder2(self.pool1(first))
        third = self.encoder3(self.pool2(second))
        x = self.bottleneck(self.pool3(third))
        x = self.decoder3(_beside(x, third))
        x = self.decoder2(_beside(x, second))
        x = self.decoder1(_beside(x, first))
        return self.head(x)  # type: ignore[no-any-return]  # torch types a module's call as Any


def _beside(x: Tensor, skipped: Tensor) -> Tensor:
    """Enlarges maps to the size of those of the way down, and puts these behind them."""
    return torch.cat([functional.interpolate(x, size=skipped.shape[2:], mode="nearest"), skipped], dim=1)
