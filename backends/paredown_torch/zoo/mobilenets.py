"""Networks of depthwise-separable convolutions: `mobilenet_v1`, and `mobilenet_v2_small` for small images."""

from __future__ import annotations

from torch import Tensor, nn

from paredown.twins import scaled

V1_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
"""Outputs and stride of each block (Howard et al., 2017, table 1)."""

V2_SMALL_BLOCKS = ((1, 8, 1, 1), (6, 12, 2, 2), (6, 16, 3, 1), (6, 32, 3, 2), (6, 48, 2, 1), (6, 80, 1, 1))
"""Expansion, outputs, repeats and first stride of each stage, in the manner of Sandler et al. (2018), table 2."""


class DepthwiseSeparable(nn.Module):
    """A depthwise 3x3 convolution, then a pointwise one; BatchNorm and ReLU after each."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.depthwise = _convolution(in_channels, in_channels, 3, stride, in_channels, nn.ReLU())
        self.pointwise = _convolution(in_channels, channels, 1, 1, 1, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, in_channels, H, W] to [N, channels, H / stride, W / stride]."""
        return self.pointwise(self.depthwise(x))  # type: ignore[no-any-return]  # torch types a module's call as Any


class MobileNetV1(nn.Module):
    """MobileNet (Howard et al., 2017), parameter by parameter `paddle.vision.models.mobilenet_v1`.

    Channels times `width` are rounded down, to no multiple, as Paddle does.
    """

    def __init__(self, num_classes: int, in_channels: int, width: float = 1.0) -> None:
        super().__init__()
        widths = [int(channels * width) for channels in (32, *(channels for channels, _ in V1_BLOCKS))]
        strides = [stride for _, stride in V1_BLOCKS]
        self.conv1 = _convolution(in_channels, widths[0], 3, 2, 1, nn.ReLU())
        self.blocks = nn.Sequential(*map(DepthwiseSeparable, widths, widths[1:], strides))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [N, C, H, W] to logits [N, num_classes]."""
        x = self.blocks(self.conv1(x))
        return self.fc(self.flatten(self.avgpool(x)))  # type: ignore[no-any-return]  # torch types a call as Any


class InvertedResidual(nn.Module):
    """Expands by a pointwise convolution, filters each channel, and projects down without an activation.

    A shortcut where the shape stays; no expansion where its factor is 1.
    """

    def __init__(self, in_channels: int, channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expand: nn.Module | None = None
        if expansion != 1:
            self.expand = _convolution(in_channels, hidden, 1, 1, 1, nn.ReLU6())
        self.depthwise = _convolution(hidden, hidden, 3, stride, hidden, nn.ReLU6())
        self.project = _convolution(hidden, channels, 1, 1, 1, None)
        self.has_shortcut = stride == 1 and in_channels == channels

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, in_channels, H, W] to [N, channels, H / stride, W / stride]."""
        hidden = x if self.expand is None else self.expand(x)
        out: Tensor = self.project(self.depthwise(hidden))
        return out + x if self.has_shortcut else out


class MobileNetV2Small(nn.Module):
    """MobileNetV2 (Sandler et al., 2018) for small images: a stem of stride 1, narrow stages, no dropout.

    Channels times `width` are rounded to multiples of 4; the head is never narrower than at width 1.
    """

    def __init__(self, num_classes: int, in_channels: int, width: float = 1.0, stem_stride: int = 1) -> None:
        super().__init__()
        before, head = scaled(16, width, 4), scaled(160, max(1.0, width), 4)
        self.stem = _convolution(in_channels, before, 3, stem_stride, 1, nn.ReLU6())
        blocks = []
        for expansion, outputs, repeats, stride in V2_SMALL_BLOCKS:
            channels = scaled(outputs, width, 4)
            for index in range(repeats):
                blocks.append(InvertedResidual(before, channels, stride if index == 0 else 1, expansion))
                before = channels
        self.blocks = nn.Sequential(*blocks)
        self.head = _convolution(before, head, 1, 1, 1, nn.ReLU6())
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(head, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [N, C, H, W] to logits [N, num_classes]."""
        x = self.head(self.blocks(self.stem(x)))
        return self.classifier(self.flatten(self.avgpool(x)))  # type: ignore[no-any-return]  # torch types a call as Any


def _convolution(
    in_channels: int, channels: int, size: int, stride: int, groups: int, activation: nn.Module | None
) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, channels, size, stride, padding=size // 2, groups=groups, bias=False)
    layers = [convolution, nn.BatchNorm2d(channels), *([] if activation is None else [activation])]
    return nn.Sequential(*layers)
