"""Networks of torchvision at other widths than 1, where its named builders take none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from paredown.twins import scaled

EFFICIENTNET_STAGES = (
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
)
"""Expansion, kernel, stride, inputs, outputs and blocks of each stage of B0 (Tan and Le, 2019, table 1)."""

REGNET_STAGES = ((1, 48), (3, 104), (6, 208), (6, 440))
"""Blocks and channels of each stage of RegNetY-400MF (Radosavovic et al., 2020)."""

CONVNEXT_STAGES = ((3, 96), (3, 192), (9, 384), (3, 768))
"""Blocks and channels of each stage of ConvNeXt-T (Liu et al., 2022)."""

HEADS, HEAD_CHANNELS = 12, 64
"""Those of ViT-B (Dosovitskiy et al., 2021)."""


def mnasnet(width: float, **options: Any) -> nn.Module:
    """MNASNet-B1 (Tan et al., 2019); channels are rounded to multiples of 8, the last convolution keeps its 1280."""
    from torchvision.models import MNASNet

    network: nn.Module = MNASNet(width, **options)
    return network


def efficientnet(width: float, **options: Any) -> nn.Module:
    """EfficientNet-B0 by its width coefficient alone (Tan and Le, 2019); channels are rounded to multiples of 8."""
    from torchvision.models.efficientnet import EfficientNet, MBConvConfig

    stages = [MBConvConfig(*stage, width_mult=width) for stage in EFFICIENTNET_STAGES]
    network: nn.Module = EfficientNet(stages, dropout=0.2, last_channel=None, **options)
    return network


def regnet(width: float, **options: Any) -> nn.Module:
    """RegNetY-400MF with as many blocks; channels are rounded to multiples of 8, the channels of each group."""
    from torchvision.models.regnet import BlockParams, RegNet

    stages = len(REGNET_STAGES)
    blocks = BlockParams(
        depths=[depth for depth, _ in REGNET_STAGES],
        widths=[scaled(channels, width) for _, channels in REGNET_STAGES],
        group_widths=[8] * stages,
        bottleneck_multipliers=[1.0] * stages,
        strides=[2] * stages,
        se_ratio=0.25,
    )
    network: nn.Module = RegNet(blocks, stem_width=scaled(32, width), **options)
    return network


def convnext(width: float, **options: Any) -> nn.Module:
    """ConvNeXt-T with as many blocks; channels are rounded to multiples of 8."""
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    channels: list[int | None] = [scaled(channels, width) for _, channels in CONVNEXT_STAGES]
    depths = [depth for depth, _ in CONVNEXT_STAGES]
    stages = [CNBlockConfig(*stage) for stage in zip(channels, [*channels[1:], None], depths, strict=True)]
    network: nn.Module = ConvNeXt(stages, stochastic_depth_prob=0.1, **options)
    return network


def vision_transformer(width: float, **options: Any) -> nn.Module:
    """ViT-B/16 with fewer heads of as many channels: at a quarter DeiT-Ti, at half DeiT-S (Touvron et al., 2021)."""
    from torchvision.models import VisionTransformer

    heads = round(HEADS * width)
    channels = heads * HEAD_CHANNELS
    network: nn.Module = VisionTransformer(
        patch_size=16, num_layers=12, num_heads=heads, hidden_dim=channels, mlp_dim=4 * channels, **options
    )
    return network


BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "mnasnet1_0": mnasnet,
    "efficientnet_b0": efficientnet,
    "regnet_y_400mf": regnet,
    "convnext_tiny": convnext,
    "vit_b_16": vision_transformer,
}
"""By name; each takes the width, and as keywords the number of classes and what else the network's class takes."""
