"""The figures of `paredown zoo`: counted by core from what the torch backend measures, on networks without numbers.

`make zoo` writes them; tests/torch/test_zoo.py holds them against the code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from paredown.algorithms.counting import count_macs
from paredown.contracts import MeasureRequest, ModelSource
from paredown.manager import Manager
from paredown.twins import DETECTORS, MASK_DETECTORS, OWN, PIXELS, TORCH_PIXELS, outputs_of
from paredown_torch import plugin
from paredown_torch.model import _build
from paredown_torch.zoo import NAMES

FILE = Path(__file__).parents[1] / "core" / "paredown" / "zoo.json"
PUBLISHED = ((3, 224, 224), 1000)
USUAL = {
    **dict.fromkeys(OWN, ((1, 28, 28), 10)),
    **dict.fromkeys((*DETECTORS, *MASK_DETECTORS), ((1, 64, 64), 10)),
    **dict.fromkeys((*PIXELS, *TORCH_PIXELS), ((3, 224, 224), 21)),
    "unet": ((1, 64, 64), 11),
    "ssdlite320_mobilenet_v3_large": ((3, 320, 320), 90),
}
"""Input and classes: those of small images and drawn scenes, else those that networks are published for."""


def figures() -> dict[str, Any]:
    """The figures of every network that torch builds; no weight takes memory, and nothing is computed."""
    return {name: of_network(name) for name in NAMES}


def of_network(name: str) -> dict[str, Any]:
    """Parameters and multiply-accumulates of one network at its usual input."""
    shape, classes = USUAL.get(name, PUBLISHED)
    model = _without_numbers(ModelSource(name, classes, shape[0], shape[1:])).eval()
    with torch.device("meta"):
        layers = plugin.measure("torch", model, MeasureRequest("layers", shape)).layers
    return {
        "input": list(shape),
        "classes": classes,
        "params": sum(parameter.numel() for parameter in model.parameters()),
        "macs": count_macs(layers),
        "tasks": _tasks(outputs_of((name,)).get(name, "classes")),
    }


def _tasks(outputs: str) -> list[str]:
    """The tasks that networks with such outputs are for."""
    components = Manager.discover().registry.components
    return sorted(name for (slot, name), one in components.items() if slot == "task" and one.outputs == outputs)


def _without_numbers(source: ModelSource) -> torch.nn.Module:
    try:
        with torch.device("meta"):
            return _build(source)
    except NotImplementedError:  # regnet computes its widths with tensors
        return _build(source).to("meta")


if __name__ == "__main__":
    FILE.write_text(json.dumps(figures(), indent=1) + "\n", encoding="utf-8")
