"""What both frameworks are given: the same networks, weights, images and steps. Imports no framework."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from paredown.algorithms.initialization import draw
from paredown.algorithms.objects import Objects, pack
from paredown.algorithms.outputs import as_tuple, concatenated
from paredown.contracts import (
    Array,
    DataSplits,
    FloatArray,
    IntArray,
    Model,
    RunContext,
    Split,
    State,
    Widths,
)
from paredown.engine.workbench import Workbench
from paredown.manager import Manager
from paredown.spec.loader import load_spec
from paredown.twins import DETECTORS, MASK_DETECTORS, PIXELS, TORCH_DETECTORS, TORCH_PIXELS

FRAMEWORKS = ("torch", "paddle")
CLASSES = 10

SMALL = {
    "cnn": (1, 8, 8),
    "resnet20": (1, 8, 8),
    "unet": (1, 20, 28),
    **dict.fromkeys((*DETECTORS, *MASK_DETECTORS), (1, 32, 32)),
}
"""(channels, height, width) of the networks that do not take colour images of 64 pixels here."""

PRUNED = ("resnet20", "resnet18", "mobilenet_v2", "mobilenet_v3_small")
"""The networks whose pruning is decided in every way, carried out, and loaded on the other backend."""

DEPLOYED = ("resnet18",)
"""Those that are exported and quantized too: `resnet20` is in a whole run, inverted residuals in `test_detector.py`.
Each export costs ten seconds."""

AT_224 = ("resnet18", "mobilenet_v2", "mobilenet_v3_small", "vgg11_bn")
"""Those whose files are compared at 224 pixels, by `make agreement`."""

HALF = 0.5


def at_widths(widths: Widths) -> tuple[float, ...]:
    """The widths at which a network is compared: its smallest and its greatest among them, where it has them."""
    if widths.parts:
        return tuple(dict.fromkeys((1 / widths.parts, HALF, widths.most or HALF)))
    return (*((widths.least,) if widths.least else ()), 0.35, HALF, 0.75, 1.4)


def answering_width(widths: Widths) -> float:
    """The width at which a network answers to images; small where width 1 is a large network."""
    return 1 / widths.parts if widths.parts else HALF


EXACT = {
    f"{scope}-{criterion}": {"kind": "prune", "criterion": {"kind": criterion}, "scope": scope, "ratio": 0.5}
    for scope in ("global", "local")
    for criterion in ("l1", "l2", "fpgm", "bn_scale", "random")
}
"""Decided from weights and the seed alone: equal index by index."""

MEASURED = {
    name: {
        "kind": "prune",
        "criterion": {**criterion, "samples": 32, "batch_size": 16},
        "scope": "global",
        "ratio": 0.5,
    }
    for name, criterion in {
        "taylor": {"kind": "taylor"},
        "activation": {"kind": "activation"},
        "apoz": {"kind": "activation", "statistic": "apoz"},
    }.items()
}
"""Decided from gradients or activations, which the frameworks compute to rounding."""

TARGETED = {
    "macs": {"kind": "prune", "criterion": {"kind": "l2"}, "keep": {"macs": 0.5}, "round_to": 4},
    "protected": {
        "kind": "prune",
        "criterion": {"kind": "l2"},
        "scope": "local",
        "ratio": 0.5,
        "protect": [{"roles": ["classifier", "stem"]}],
    },
}
"""Decided by a target, with widths rounded; and with a protected layer."""

PRUNINGS = {**EXACT, **MEASURED, **TARGETED}
CARRIED_OUT = "global-l2"
"""The pruning whose network is exported, quantized and exchanged."""

QUANTIZE = {"kind": "quantize", "activations": {"observer": {"kind": "minmax"}}, "calibration": {"samples": 64}}

STEPS, BATCH = 5, 16
"""The first steps of training, and the images of each."""


class AgreementBench(Workbench):
    """A run's workbench over images that are drawn, so that every network can have images of its own size."""

    @cached_property
    def data(self) -> DataSplits:
        """64 training, 32 validation and 16 test images, standard normal."""
        source = self.source
        shape = (source.in_channels, *source.input_size)
        train, validation, test = (_images(count, shape, seed) for seed, count in enumerate((64, 32, 16)))
        splits = (train, validation, test)
        if source.name in (*PIXELS, *TORCH_PIXELS):
            splits = tuple((images, _class_maps(images)) for images, _ in splits)
        if source.name in (*DETECTORS, *MASK_DETECTORS, *TORCH_DETECTORS):
            splits = tuple((images, _objects(images, source.name in MASK_DETECTORS)) for images, _ in splits)
        return DataSplits("drawn", *splits, CLASSES)

    def outputs(self, model: Model, split: Split) -> FloatArray:
        """What the network answers to a split; the outputs of one with several are joined, [images, numbers]."""
        found = as_tuple(concatenated(list(self.answers(model, split))))
        return found[0] if len(found) == 1 else np.concatenate([one.reshape(len(one), -1) for one in found], axis=1)

    def build_lively(self, model: Model = None) -> Model:
        """The network with weights that core drew, and BatchNorm statistics that are not the defaults."""
        model = self.build() if model is None else model
        return self.manager.restore(self.backend, model, lively(draw(self.state(model), self.context.seed)))


def workbench(
    manager: Manager, backend: str, network: str, shape: tuple[int, int, int] | None = None, width: float = 1.0
) -> AgreementBench:
    """A workbench for one network; its steps are every pruning, and the quantization."""
    task = "semantic_segmentation" if network in (*PIXELS, *TORCH_PIXELS) else "classification"
    task = "detection" if network in (*DETECTORS, *TORCH_DETECTORS) else task
    task = "instance_segmentation" if network in MASK_DETECTORS else task
    channels, height, columns = shape or SMALL.get(network, (3, 64, 64))
    spec: dict[str, Any] = {
        "version": 1,
        "name": "agreement",
        "task": {"kind": task},
        "data": {"kind": "digits"} if task == "classification" else {"kind": "digit_scenes", "target": task},
        "model": {
            "kind": "zoo",
            "name": network,
            "num_classes": CLASSES,
            "in_channels": channels,
            "input_size": [height, columns],
            "width": width,
        },
        "baseline": {"epochs": 1},
        "steps": [*PRUNINGS.values(), QUANTIZE],
        "deploy": {"runtime": {"kind": "onnxruntime"}},
    }
    checked = load_spec(spec, manager.registry)
    return AgreementBench(manager, backend, checked, RunContext(seed=0, device="cpu"))


GAIN = 1.3
"""The variance of a convolution's weights, times its fan-in: between 1, for a sum that is passed on as it is, and 2,
for one of which a ReLU takes half (He et al., 2015)."""


def strengthened(values: Array, gain: float = GAIN) -> Array:
    """A convolution's weights, scaled so that the image reaches the outputs and is not blown up on the way.

    Drawn weights of depthwise layers are so small that a deep network gives all images the same outputs, to rounding:
    what is compared then are biases.
    """
    if values.ndim != 4:
        return values
    deviation = np.sqrt(gain / np.prod(values.shape[1:]))
    scaled: Array = (values * (deviation / np.std(values, dtype=np.float64))).astype(np.float32)
    return scaled


def lively(state: State, gain: float = GAIN) -> dict[str, Array]:
    """The state with BatchNorm weights, biases and statistics that are far from one and zero: those hide errors; and
    with convolutions through which the image reaches the outputs."""
    generator = np.random.default_rng(0)
    changed = {name: strengthened(values, gain) for name, values in state.items()}
    for name in sorted(state):  # so that arrays that were read from a file, sorted, give the same
        values = state[name]
        if name.endswith(("running_mean", ".bias")):
            changed[name] = (values + 0.1 * generator.standard_normal(values.shape)).astype(np.float32)
        elif name.endswith("running_var") or values.ndim == 1:
            changed[name] = (values * generator.uniform(0.5, 2.0, values.shape)).astype(np.float32)
    return changed


def _class_maps(images: FloatArray) -> IntArray:
    """A class for each pixel by its brightness; dark ones do not count."""
    maps = np.clip(np.floor((images[:, 0] + 2) * CLASSES / 4), -1, CLASSES - 1).astype(np.int64)
    return np.where(maps < 0, 255, maps)


def _objects(images: FloatArray, has_masks: bool) -> Array:
    """Two objects an image: at random places, of sizes for both levels of a detector; masks are the bright pixels."""
    random, size = np.random.default_rng(len(images)), images.shape[-1]
    corners = np.sort(random.uniform(0, size, (len(images), 2, 2, 2)), axis=2).reshape(-1, 2, 4)
    classes = random.integers(0, CLASSES, (len(images), 2))
    none, bright = np.zeros(2, np.bool_), np.repeat(images[:, :1] > 0, 2, axis=1)
    found = zip(corners.astype(np.float32), classes, bright, strict=True)
    objects = [Objects(boxes, own, none, masks if has_masks else None) for boxes, own, masks in found]
    return pack(objects, None, (size, size) if has_masks else None)


def _images(count: int, shape: tuple[int, int, int], seed: int) -> tuple[FloatArray, IntArray]:
    images = np.random.default_rng(seed).standard_normal((count, *shape)).astype(np.float32)
    return images, np.arange(count) % CLASSES
