"""What the spec's network is built from: the zoo, timm or a user's own function; and whether it is what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paredown.algorithms.detection.default_boxes import has_default_boxes
from paredown.algorithms.outputs import first, shapes
from paredown.contracts import BackendInfo, ModelSource, Outputs
from paredown.engine.code import builder_source
from paredown.engine.trust import Trust
from paredown.errors import HookFailed, ModelError
from paredown.spec.models import BuilderModel, NetworkConfig, TimmModel, ZooModel

if TYPE_CHECKING:
    from paredown.engine.workbench import Workbench


def source_of(network: NetworkConfig, info: BackendInfo, trust: Trust) -> ModelSource:
    """What a backend builds a network from.

    Raises:
        TrustError, ModelError: A user's function is not trusted, or is not there.
    """
    if isinstance(network, BuilderModel):
        return builder_source(network, info, trust)
    if isinstance(network, TimmModel):
        return ModelSource(network.name, network.num_classes, network.in_channels, network.input_size, kind="timm")
    return zoo_source(network)


def zoo_source(network: ZooModel) -> ModelSource:
    """What a network of the zoo is built from."""
    return ModelSource(
        name=network.name,
        num_classes=network.num_classes,
        in_channels=network.in_channels,
        input_size=network.input_size,
        width=network.width,
    )


def require_running(bench: Workbench) -> None:
    """Runs a network that no zoo vouches for once, before hours of training find out that it cannot be.

    Raises:
        ModelError: It does not take images of the spec's size, or its outputs are of another shape than the task reads.
    """
    if isinstance(bench.spec.model, ZooModel):
        return
    images = np.zeros((2, *bench.input_shape), np.float32)
    model = bench.build()
    try:
        found = bench.manager.evaluate(bench.backend, model, images)
    except HookFailed as error:
        raise ModelError(
            f"the network does not take images of this size: {error.__cause__}",
            where="model.in_channels, model.input_size",
            value=f"images of shape {images.shape}, for `{bench.source.name}`",
            expected="a network that takes one batch of images",
            remedy="mend `model`, or the code that builds the network",
        ) from error
    _require_shape(bench, found)


def _require_shape(bench: Workbench, found: Outputs) -> None:
    """Refuses outputs that the task cannot read."""
    classes = bench.source.num_classes
    reads = bench.manager.registry.components["task", bench.spec.task.kind].outputs
    expected = {"classes": (2, classes), "pixels": (2, classes, *bench.source.input_size)}.get(reads)
    if expected is None:
        _require_readable(bench, found)
        return
    if shapes(found) == (expected,):
        return
    if not isinstance(found, tuple) and found.shape == (2, *found.shape[1:2], *expected[2:]):
        raise ModelError(
            "the network has another number of outputs than the spec says",
            where="model.num_classes",
            value=f"{found.shape[1]}, from `{bench.source.name}`",
            expected=str(classes),
            remedy=f"write `num_classes: {found.shape[1]}`, or let the code build {classes} outputs",
        )
    axes = "[batch, classes]" if reads == "classes" else "[batch, classes, height, width], of the images' size"
    raise ModelError(
        f"the network's outputs are not what the task `{bench.spec.task.kind}` reads",
        where="model",
        value=f"{', '.join(map(str, shapes(found)))} for 2 images, from `{bench.source.name}`",
        expected=f"one output {expected}: {axes}",
        remedy="return this one tensor from the network, or choose the task that its outputs are for",
    )


def _require_readable(bench: Workbench, found: Outputs) -> None:
    """Lets a task that reads neither classes nor pixels read the outputs: it says what is wrong with them."""
    bench.task.agreement(found, found)
    reads = bench.manager.registry.components["task", bench.spec.task.kind].outputs
    # Beside default boxes the first column is that of the background.
    held, classes = first(found).shape[1] - has_default_boxes(found), bench.source.num_classes
    if reads in ("boxes", "masks") and held < classes:
        raise ModelError(
            "the network has fewer classes than the spec says",
            where="model.num_classes",
            value=f"{held}, from `{bench.source.name}`",
            expected=str(classes),
            remedy=f"write `num_classes: {held}`, or let the code build {classes}",
        )
