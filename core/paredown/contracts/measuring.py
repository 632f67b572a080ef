"""What a backend measures in a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from paredown.contracts.arrays import Array, Axis, FloatArray, LossFunction
from paredown.contracts.networks import LayerInfo


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """What to find out, in evaluation mode, leaving the network as it was.

    `layers`: one forward pass over a black image of `input_shape` (channels, height, width). `taps`: the same, of every
    layer and every block of layers whose output is one tensor.
    `gradients`: for each batch, backward through `loss`, and for each of `axes` weight times gradient, summed over the
    other axes. `activations`: over all images of `batches`, how active each input channel of each layer in
    `layer_names` is.
    """

    what: Literal["layers", "taps", "gradients", "activations"]
    input_shape: tuple[int, int, int]
    batches: Sequence[tuple[FloatArray, Array]] = ()
    loss: LossFunction | None = None
    axes: tuple[Axis, ...] = ()
    layer_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Activity:
    """How active the input channels of a layer are, over all images and positions; all calls of the layer together.

    `mean_absolute` and `zeros` (the share of values that are exactly zero) are [input channels], float64.
    """

    mean_absolute: FloatArray
    zeros: FloatArray


@dataclass(frozen=True, slots=True)
class Measurements:
    """What a backend found. `gradients` are [batches, positions along the axis], float64, reduced on the device.

    `taps` are the shapes of layers' and blocks' outputs by neutral name, without the batch axis, in order of execution;
    one that is called more than once has one for each call, by the names of `paredown.algorithms.calls`.
    """

    layers: tuple[LayerInfo, ...] = ()
    taps: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    gradients: Mapping[Axis, FloatArray] = field(default_factory=dict)
    activations: Mapping[str, Activity] = field(default_factory=dict)
