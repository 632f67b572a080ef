"""The networks of our own that PyTorch has too, layer by layer under the same names: `resnet20` and `cnn`."""

from __future__ import annotations

from typing import Any

from paredown.twins import scaled
from paredown_paddle.framework import paddle

_EPSILON = 1e-5
_MOMENTUM = 0.9  # Paddle's is the share that stays: torch's 0.1


def batch_norm(channels: int) -> Any:
    """BatchNorm2D with torch's constants."""
    return paddle.nn.BatchNorm2D(channels, momentum=_MOMENTUM, epsilon=_EPSILON)


class BasicBlock(paddle.nn.Layer):
    """Two 3x3 convolutions and a shortcut, projected by a 1x1 convolution where the shape changes (option B)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = paddle.nn.Conv2D(in_channels, out_channels, 3, stride, padding=1, bias_attr=False)
        self.bn1 = batch_norm(out_channels)
        self.relu1 = paddle.nn.ReLU()
        self.conv2 = paddle.nn.Conv2D(out_channels, out_channels, 3, padding=1, bias_attr=False)
        self.bn2 = batch_norm(out_channels)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            projection = paddle.nn.Conv2D(in_channels, out_channels, 1, stride, bias_attr=False)
            self.downsample = paddle.nn.Sequential(projection, batch_norm(out_channels))
        self.relu2 = paddle.nn.ReLU()

    def forward(self, x: Any) -> Any:
        """Features [batch, in_channels, height, width] to [batch, out_channels, height / stride, width / stride]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(y + shortcut)


class ResNet20(paddle.nn.Layer):
    """ResNet-20 for small images (He et al., 2016, section 4.2)."""

    def __init__(self, num_classes: int, in_channels: int, width: float = 1.0) -> None:
        super().__init__()
        first, second, third = (scaled(channels, width) for channels in (16, 32, 64))
        self.conv1 = paddle.nn.Conv2D(in_channels, first, 3, padding=1, bias_attr=False)
        self.bn1 = batch_norm(first)
        self.relu = paddle.nn.ReLU()
        self.layer1 = _stage(first, first, 1)
        self.layer2 = _stage(first, second, 2)
        self.layer3 = _stage(second, third, 2)
        self.avgpool = paddle.nn.AdaptiveAvgPool2D(1)
        self.flatten = paddle.nn.Flatten()
        self.fc = paddle.nn.Linear(third, num_classes)

    def forward(self, x: Any) -> Any:
        """Images [batch, in_channels, height, width] to logits [batch, num_classes]."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.flatten(self.avgpool(x)))


class Cnn(paddle.nn.Layer):
    """Three convolutions with BatchNorm, for images of 8 pixels or more."""

    def __init__(self, num_classes: int, in_channels: int, width: float = 1.0) -> None:
        super().__init__()
        widths = (in_channels, *(scaled(channels, width) for channels in (32, 64, 128)))
        for index in (1, 2, 3):
            convolution = paddle.nn.Conv2D(widths[index - 1], widths[index], 3, padding=1, bias_attr=False)
            self.add_sublayer(f"conv{index}", convolution)
            self.add_sublayer(f"bn{index}", batch_norm(widths[index]))
            self.add_sublayer(f"relu{index}", paddle.nn.ReLU())
        self.pool1 = paddle.nn.MaxPool2D(2)
        self.pool2 = paddle.nn.MaxPool2D(2)
        self.avgpool = paddle.nn.AdaptiveAvgPool2D(1)
        self.flatten = paddle.nn.Flatten()
        self.fc = paddle.nn.Linear(widths[3], num_classes)

    def forward(self, x: Any) -> Any:
        """Images [batch, in_channels, height, width] to logits [batch, num_classes]."""
        x = self.pool1(self.relu1(self.bn1(self.conv1(x))))
        x = self.pool2(self.relu2(self.bn2(self.conv2(x))))
        x = self.relu3(self.bn3(self.conv3(x)))
        return self.fc(self.flatten(self.avgpool(x)))


def _stage(in_channels: int, out_channels: int, stride: int) -> Any:
    blocks = [BasicBlock(in_channels, out_channels, stride)]
    blocks += [BasicBlock(out_channels, out_channels, 1) for _ in range(2)]
    return paddle.nn.Sequential(*blocks)
