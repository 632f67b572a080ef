"""What a layer reads at single positions of its output, so that the layer is a matrix product there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paredown.deploy.canonical.graph import attributes
from paredown.deploy.places import Call

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Positions:
    """Positions of an output: the image of each, [count], and where in it, [count, spatial axes]."""

    images: IntArray
    places: IntArray


def draw(shape: tuple[int, ...], count: int, random: np.random.Generator) -> Positions:
    """Positions of an output of this shape, [images, channels, ...], `count` of them or all there are, at random.

    No position is drawn twice; they come in the order of the images.
    """
    spatial = shape[2:]
    total = shape[0] * int(np.prod(spatial, dtype=np.int64))
    chosen = np.sort(random.choice(total, size=min(count, total), replace=False))
    images, *places = np.unravel_index(chosen, (shape[0], *spatial))
    stacked = np.stack(places, axis=1) if places else np.zeros((len(chosen), 0), dtype=np.int64)
    return Positions(images, stacked)


def outputs_at(values: FloatArray, positions: Positions) -> FloatArray:
    """[count, channels]: what a layer gave at these positions."""
    taken: FloatArray = values[(positions.images, slice(None), *positions.places.T)]
    return taken


def inputs_at(call: Call, kernel: tuple[int, ...], values: FloatArray, positions: Positions) -> FloatArray:
    """What a layer read for these positions of its output.

    Args:
        call: A convolution of any dimension with explicit padding, or a Gemm.
        kernel: The spatial shape of its weight; empty for a Gemm.
        values: The layer's input.
        positions: Of its output.

    Returns:
        [groups, count, numbers that an output channel of the group reads], in the order of the weight's numbers.
    """
    options = attributes(call.node)
    axes, groups = len(kernel), int(options.get("group", 1))
    pads = options.get("pads", [0] * 2 * axes)
    padding = [(pads[axis], pads[axis + axes]) for axis in range(axes)]
    padded = np.pad(values, [(0, 0), (0, 0), *padding])
    strides, dilations = options.get("strides", [1] * axes), options.get("dilations", [1] * axes)
    index: list[IntArray] = [
        positions.images.reshape((-1, 1) + (1,) * axes),
        np.arange(values.shape[1]).reshape((1, -1) + (1,) * axes),
    ]
    for axis in range(axes):
        start = (positions.places[:, axis] * strides[axis]).reshape((-1, 1) + (1,) * axes)
        reach = np.arange(kernel[axis]) * dilations[axis]
        index.append(start + reach.reshape([1, 1, *(-1 if other == axis else 1 for other in range(axes))]))
    taken = padded[tuple(index)].reshape(len(positions.images), groups, -1)
    return np.ascontiguousarray(taken.transpose(1, 0, 2))
