"""The weights that Paddle publishes for its own networks."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from paredown.contracts import ModelSource
from paredown.errors import WeightsError
from paredown_paddle.unpickling import read_pdparams

_log = logging.getLogger("paredown.paddle")
_ARCHITECTURES = {"mobilenet_v2": "mobilenetv2_1.0", "mobilenet_v3_small": "mobilenet_v3_small_x1.0"}
_ARCHITECTURES["mobilenet_v3_large"] = "mobilenet_v3_large_x1.0"


def load_pretrained(model: Any, source: ModelSource) -> None:
    """Fills a network with Paddle's weights, from its cache or by download.

    The head and the first convolution keep their fresh weights where `num_classes` or `in_channels` change their
    shape; a warning on the logger `paredown.paddle` names them.

    Raises:
        WeightsError: When Paddle publishes none for this network, or the file cannot be had.
    """
    published = read_pdparams(weights_file(model, source.name))
    own = model.state_dict()
    fresh = [key for key in own if key in published and tuple(published[key].shape) != tuple(own[key].shape)]
    missing, unknown = model.set_state_dict({key: value for key, value in published.items() if key not in fresh})
    absent = [key for key in missing if key not in fresh]
    if absent or unknown:
        raise WeightsError(
            "Paddle's pretrained weights are not those of this network",
            where=source.name,
            value=", ".join([*absent, *unknown][:5]),
            remedy="give a safetensors file in model.weights instead",
        )
    if fresh:
        _log.warning("%s: %s keep fresh weights, their shape is not the published one", source.name, ", ".join(fresh))


def weights_file(model: Any, name: str) -> Path:
    """The file of published weights, downloaded when it is not in Paddle's cache.

    Raises:
        WeightsError: When there is none, or it is not in the cache and the download fails.
    """
    from paddle.utils import download

    urls = getattr(sys.modules[type(model).__module__], "model_urls", {})
    entry = urls.get(_ARCHITECTURES.get(name, name))
    if entry is None or name == "vgg11_bn":
        raise WeightsError(
            "Paddle publishes no pretrained weights for this network",
            where="model.weights",
            value=f"pretrained, for {name}",
            expected="the path of a safetensors file in neutral names",
            remedy="save the weights from torchvision and give their path in model.weights",
        )
    url, checksum = entry
    wanted = url.rsplit("/", 1)[-1]
    try:
        return Path(download.get_weights_path_from_url(url, checksum))
    except (RuntimeError, OSError) as error:
        raise WeightsError(
            f"Paddle's pretrained weights cannot be had: {wanted} is not in the cache and could not be downloaded",
            where="model.weights",
            value=str(error).splitlines()[0],
            expected=f"the file {wanted} in {download.WEIGHTS_HOME}",
            remedy="put the file there on a machine with a network, or give a safetensors file in model.weights",
        ) from error
