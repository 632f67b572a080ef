"""`unet`: a small U-Net of our own, layer by layer as PyTorch has it."""

from __future__ import annotations

from typing import Any

from paredown.twins import UNET_CHANNELS, scaled
from paredown_paddle.framework import paddle
from paredown_paddle.twins import batch_norm


class DoubleConvolution(paddle.nn.Layer):
    """Two 3x3 convolutions that keep the image's size, each with BatchNorm and ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = paddle.nn.Conv2D(in_channels, out_channels, 3, padding=1, bias_attr=False)
        self.bn1 = batch_norm(out_channels)
        self.relu1 = paddle.nn.ReLU()
        self.conv2 = paddle.nn.Conv2D(out_channels, out_channels, 3, padding=1, bias_attr=False)
        self.bn2 = batch_norm(out_channels)
        self.relu2 = paddle.nn.ReLU()

    def forward(self, x: Any) -> Any:
        """Features [batch, in_channels, height, width] to [batch, out_channels, height, width]."""
        x = self.relu1(self.bn1(self.conv1(x)))
        return self.relu2(self.bn2(self.conv2(x)))


class UNet(paddle.nn.Layer):
    """U-Net (Ronneberger, Fischer and Brox, 2015) with 16 to 128 channels and three poolings, for 8 pixels or more.

    Unlike the original its convolutions are padded, so that outputs have the image's size, and each stage of the way up
    repeats the nearest pixels in place of a transposed convolution.
    """

    def __init__(self, num_classes: int, in_channels: int, width: float = 1.0) -> None:
        super().__init__()
        first, second, third, fourth = (scaled(channels, width) for channels in UNET_CHANNELS)
        self.encoder1 = DoubleConvolution(in_channels, first)
        self.pool1 = paddle.nn.MaxPool2D(2)
        self.encoder2 = DoubleConvolution(first, second)
        self.pool2 = paddle.nn.MaxPool2D(2)
        self.encoder3 = DoubleConvolution(second, third)
        self.pool3 = paddle.nn.MaxPool2D(2)
        self.bottleneck = DoubleConvolution(third, fourth)
        self.decoder3 = DoubleConvolution(fourth + third, third)
        self.decoder2 = DoubleConvolution(third + second, second)
        self.decoder1 = DoubleConvolution(second + first, first)
        self.head = paddle.nn.Conv2D(first, num_classes, 1)

    def forward(self, x: Any) -> Any:
        """Images [batch, in_channels, height, width] to logits [batch, num_classes, height, width]."""
        first = self.encoder1(x)
        second = self.encoder2(self.pool1(first))
        third = self.encoder3(self.pool2(second))
        x = self.bottleneck(self.pool3(third))
        x = self.decoder3(_beside(x, third))
        x = self.decoder2(_beside(x, second))
        x = self.decoder1(_beside(x, first))
        return self.head(x)


def _beside(x: Any, skipped: Any) -> Any:
    """Enlarges maps to the size of those of the way down, and puts these behind them."""
    larger = paddle.nn.functional.interpolate(x, size=list(skipped.shape[2:]), mode="nearest")
    return paddle.concat([larger, skipped], axis=1)
