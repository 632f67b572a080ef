"""The zoo: networks that torchvision holds under the same names, and our own twins."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from importlib import resources
from typing import Any

from paredown.contracts import ModelSource
from paredown.errors import ModelError
from paredown.twins import DETECTORS, MASK_DETECTORS, NAMED_BY_WIDTH, OWN, PIXELS, SHARED, UNIFORM, require_width
from paredown_paddle import uniform_width
from paredown_paddle.detectors import FcosMobileNetV2Small
from paredown_paddle.framework import paddle
from paredown_paddle.instances import FcosMaskMobileNetV2Small
from paredown_paddle.lraspp import LrasppSmall
from paredown_paddle.mobilenet import MobileNetV2Small
from paredown_paddle.names import Origin, has_tensors, set_origin
from paredown_paddle.replace import replace_layer
from paredown_paddle.twins import Cnn, ResNet20
from paredown_paddle.unet import UNet

_OWN: dict[str, Callable[[int, int, float], Any]] = {
    "resnet20": ResNet20,
    "cnn": Cnn,
    "mobilenet_v2_small": MobileNetV2Small,
    "fcos_mobilenet_v2_small": FcosMobileNetV2Small,
    "fcos_mask_mobilenet_v2_small": FcosMaskMobileNetV2Small,
    "unet": UNet,
}
NAMES = (*OWN, *SHARED, *PIXELS, *DETECTORS, *MASK_DETECTORS)
_BY_POSITION = ("mobilenet_v1", "mobilenet_v3_small", "mobilenet_v3_large", "densenet121", "shufflenet_v2_x1_0")


def build(source: ModelSource, seed: int) -> Any:
    """Builds a network with Paddle's default weights, and remembers the neutral names of its layers.

    Raises:
        ModelError: When the zoo has no network of that name, or not at that width.
    """
    if source.build is not None:
        model = source.build()
        set_origin(model, Origin(seed))
        return model
    if source.name in NAMES:
        require_width(source.name, source.width, is_pretrained=source.pretrained)
    if source.name in _OWN:
        model = _OWN[source.name](source.num_classes, source.in_channels, source.width)
    elif source.name in NAMES:
        model = _vision(source)
    else:
        near = difflib.get_close_matches(source.name, NAMES, n=1)
        raise ModelError(
            "the Paddle backend has no network of that name",
            where="model.name",
            value=source.name,
            expected="one of " + ", ".join(NAMES),
            remedy=f"did you mean {near[0]}?" if near else "choose one of the names above",
        )
    set_origin(model, Origin(seed, _neutral_layers(source.name, model)))
    return model


def first_convolution(model: Any) -> Any:
    """The first convolution in the order of definition."""
    for layer in model.sublayers():
        if isinstance(layer, paddle.nn.Conv2D):
            return layer
    raise ModelError("the network has no convolution, so its input channels cannot be set", where="model.in_channels")


def _vision(source: ModelSource) -> Any:
    name = source.name
    if name == "lraspp_mobilenet_v3_small":
        model = LrasppSmall(source.num_classes, source.width)
    else:
        model = _at_width(name, source.width, num_classes=source.num_classes)
    if source.in_channels != 3:
        old = first_convolution(model)
        settings = (old._out_channels, old._kernel_size, old._stride, old._padding, old._dilation)
        bias = None if old.bias is not None else False
        new = paddle.nn.Conv2D(source.in_channels, *settings, bias_attr=bias)
        replace_layer(model, old, new)
    return model


def _at_width(name: str, width: float, **options: Any) -> Any:
    if name == "vgg11_bn":
        name, options = "vgg11", options | {"batch_norm": True}
    if name in UNIFORM:
        return uniform_width.build(lambda: getattr(paddle.vision.models, name)(**options), width)
    if width != 1 and name in NAMED_BY_WIDTH:
        name = NAMED_BY_WIDTH[name][width]
    elif width != 1:
        options["scale"] = width
    return getattr(paddle.vision.models, name)(**options)


def _neutral_layers(name: str, model: Any) -> dict[str, str]:
    """Own layer path to neutral name for the networks whose names differ: the n-th layer is torch's n-th."""
    own = [path for path, layer in model.named_sublayers() if has_tensors(layer)]
    if name in _BY_POSITION:
        return dict(zip(own, _torch_layers(name), strict=True))
    if name == "lraspp_mobilenet_v3_small":
        features = [layer for layer in _torch_layers("mobilenet_v3_small") if layer.startswith("features.")]
        return dict(zip(own, (layer.replace("features", "backbone", 1) for layer in features), strict=False))
    return {}


def _torch_layers(name: str) -> list[str]:
    text = (resources.files("paredown_paddle") / "layer_names.json").read_text(encoding="utf-8")
    layers: list[str] = json.loads(text)[name]
    return layers
