"""Networks of torchvision: another number of classes, other input channels, and the weights torchvision publishes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from paredown.contracts import ModelSource
from paredown.errors import ModelError, WeightsError
from paredown.twins import NAMED_BY_WIDTH, UNIFORM
from paredown_torch.zoo import uniform_width, widths

IMAGENET_CLASSES = 1000

IMAGENET_SIZE = 224

PATCHES = {"vit_b_16": 16}
"""Networks that hold an embedding for each patch of the image, and the side of a patch."""


def build(source: ModelSource) -> nn.Module:
    """Builds a network of torchvision; dropout is torchvision's own, only in training.

    With `pretrained`, the head is drawn anew for another number of classes than ImageNet's 1000, and the first
    convolution for another number of input channels than 3.

    A vision transformer is built for the source's image size.

    Raises:
        ModelError: A vision transformer cannot take images of this size.
        WeightsError: The pretrained weights are neither in torch's cache nor to be had from their address.
    """
    from torchvision import models

    options: dict[str, Any] = {"image_size": _square_size(source)} if source.name in PATCHES else {}
    if source.pretrained:
        model: nn.Module = models.get_model(source.name, weights=None, num_classes=IMAGENET_CLASSES, **options)
        model.load_state_dict(_renamed(_published(source.name), model))
        if source.num_classes != IMAGENET_CLASSES:
            _rebuild_head(model, source.num_classes)
    else:
        model = _at_width(source.name, source.width, num_classes=source.num_classes, **options)
    if source.in_channels != 3:
        rebuild_stem(model, source.in_channels)
    return model


def _at_width(name: str, width: float, **options: Any) -> nn.Module:
    from torchvision import models

    if name in UNIFORM:
        return uniform_width.build(lambda: models.get_model(name, weights=None, **options), width)
    if width == 1:
        return models.get_model(name, weights=None, **options)  # type: ignore[no-any-return]  # torchvision types it as Any
    if name in widths.BUILDERS:
        return widths.BUILDERS[name](width, **options)
    if name in NAMED_BY_WIDTH:
        return models.get_model(NAMED_BY_WIDTH[name][width], weights=None, **options)  # type: ignore[no-any-return]  # as above
    return models.get_model(name, weights=None, width_mult=width, **options)  # type: ignore[no-any-return]  # as above


def _square_size(source: ModelSource) -> int:
    patch, (height, width) = PATCHES[source.name], source.input_size
    fits = (height == IMAGENET_SIZE) if source.pretrained else height % patch == 0
    if height == width and fits:
        return height
    raise ModelError(
        f"{source.name} does not take images of this size",
        where="model.input_size",
        value=f"{height}x{width}",
        expected=f"{IMAGENET_SIZE}x{IMAGENET_SIZE} with pretrained weights"
        if source.pretrained
        else f"a square whose side is a multiple of {patch}",
    )


def _published(name: str) -> dict[str, torch.Tensor]:
    from torchvision import models

    url: str = models.get_model_weights(name).DEFAULT.url
    filename = url.rsplit("/", 1)[-1]
    directory = Path(torch.hub.get_dir()) / "checkpoints"
    try:
        return torch.hub.load_state_dict_from_url(url, progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        # OSError: no network (URLError is one), or an unreadable file; RuntimeError: a hash that does not match.
        raise WeightsError(
            f"the pretrained weights of {name} cannot be had: {error}",
            where="model.weights",
            value="pretrained",
            expected=f"the file {filename} in {directory}",
            remedy=f"put {filename} there, or give a safetensors file, or leave `weights` out to draw from the seed",
        ) from error


def _renamed(state: dict[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
    # The densenet checkpoints are older than today's layer names: `norm.1` stands for `norm1`.
    known = model.state_dict().keys()
    return {
        name if name in known else re.sub(r"\b(norm|conv)\.([12])\.", r"\1\2.", name): values
        for name, values in state.items()
    }


def _rebuild_head(model: nn.Module, num_classes: int) -> None:
    heads = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    name, head = heads[-1]
    if isinstance(head, nn.Linear):
        rebuilt: nn.Module = nn.Linear(head.in_features, num_classes, bias=head.bias is not None)
    else:  # squeezenet's is a pointwise convolution
        rebuilt = nn.Conv2d(head.in_channels, num_classes, kernel_size=1, bias=head.bias is not None)
    model.set_submodule(name, rebuilt)


def rebuild_stem(model: nn.Module, in_channels: int) -> None:
    """Puts a first convolution for another number of input channels in the place of the network's."""
    name, stem = next((name, module) for name, module in model.named_modules() if isinstance(module, nn.Conv2d))
    rebuilt = nn.Conv2d(
        in_channels,
        stem.out_channels,
        kernel_size=stem.kernel_size,  # type: ignore[arg-type]  # torch types what it keeps more loosely than what it takes
        stride=stem.stride,  # type: ignore[arg-type]  # as above
        padding=stem.padding,  # type: ignore[arg-type]  # as above
        bias=stem.bias is not None,
    )
    model.set_submodule(name, rebuilt)
