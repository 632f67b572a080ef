"""Networks of libraries other than torchvision."""

from __future__ import annotations

import difflib

from torch import nn

from paredown.contracts import ModelSource
from paredown.errors import ComponentMissing, ModelError


def build_timm(source: ModelSource) -> nn.Module:
    """Builds a network of timm, without published weights; one of a fixed image size for the source's.

    Raises:
        ComponentMissing: timm is not installed.
        ModelError: timm has no network of this name, or cannot build it so.
    """
    try:
        import timm
    except ImportError as error:
        raise ComponentMissing(
            "timm is not installed",
            where="model.kind",
            value="timm",
            expected="the package timm",
            remedy='pip install "paredown[timm]"',
        ) from error
    if not timm.is_model(source.name):
        near = difflib.get_close_matches(source.name, timm.list_models(), n=1)
        raise ModelError(
            "timm has no network of this name",
            where="model.name",
            value=source.name,
            expected="one of timm.list_models()",
            remedy=f"did you mean {near[0]}?" if near else "look the name up with timm.list_models()",
        )
    settings = timm.get_pretrained_cfg(source.name)
    size = {"img_size": source.input_size} if settings is not None and settings.fixed_input_size else {}
    try:
        model: nn.Module = timm.create_model(
            source.name, pretrained=False, num_classes=source.num_classes, in_chans=source.in_channels, **size
        )
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"timm cannot build {source.name} so: {error}",
            where="model",
            value=f"{source.num_classes} classes, {source.in_channels} channels, images of {source.input_size}",
            remedy="choose another image size, or another network",
        ) from error
    return model
