"""Samples of what each layer reads and gives, from the calibration images, at positions drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx

from paredown.deploy.canonical.graph import producers
from paredown.deploy.corrections.patches import Positions, draw, inputs_at, outputs_at
from paredown.deploy.corrections.running import Tap
from paredown.deploy.corrections.simulated import COPY, Simulation
from paredown.deploy.places import Call
from paredown.errors import DataError

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, IntArray

TOGETHER = 8
"""Images that run at once: all the outputs of a network are in memory."""


def some_images(images: Callable[[], Iterator[FloatArray]], count: int) -> Iterator[FloatArray]:
    """The first `count` images, a few at a time."""
    for batch in images():
        for start in range(0, min(len(batch), count), TOGETHER):
            yield batch[start : min(start + TOGETHER, count)]
        count -= len(batch)
        if count <= 0:
            return


class Targets:
    """What the float network's layers give, each at positions of its own.

    Args:
        model: The float network.
        layers: The calls of each layer.
        images: The images, a few at a time.
        per_image: How many positions are drawn in an image, for each call.
        seed: What is drawn depends on it.

    Raises:
        DataError: There are no images, or a value is not finite.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        layers: Mapping[str, list[Call]],
        images: Iterator[FloatArray],
        per_image: int,
        seed: int,
    ) -> None:
        names = [call.node.output[0] for calls in layers.values() for call in calls]
        self._positions: dict[str, list[Positions]] = {name: [] for name in names}
        found: dict[str, list[FloatArray]] = {name: [] for name in names}
        generators = {name: np.random.default_rng([seed, index]) for index, name in enumerate(names)}
        tap = Tap(model, names)
        for batch in images:
            for name, values in zip(names, tap.run(batch), strict=True):
                positions = draw(values.shape, per_image * len(values), generators[name])
                self._positions[name].append(positions)
                found[name].append(outputs_at(values, positions))
        if not all(found.values()):
            raise DataError(
                "there are no calibration images",
                where="adaround",
                expected="at least one image",
                remedy="raise calibration.samples",
            )
        self._values = {name: np.concatenate(parts) for name, parts in found.items()}
        _require_finite(self._values)

    def of(self, calls: list[Call]) -> FloatArray:
        """[count, channels]: the outputs of a layer, those of the first images first, whichever call gave them."""
        together: FloatArray = np.concatenate([self._values[call.node.output[0]] for call in calls])
        return together[self._order(calls)]

    def _order(self, calls: list[Call]) -> IntArray:
        """The samples of all calls side by side, so that the last ones are of the last images."""
        counts = [len(self._values[call.node.output[0]]) for call in calls]
        return np.argsort(np.concatenate([np.arange(count) / count for count in counts]), kind="stable")

    def inputs(
        self, simulation: Simulation, calls: list[Call], kernel: tuple[int, ...], images: Iterator[FloatArray]
    ) -> FloatArray:
        """[groups, count, numbers]: what the layer reads in the quantized copy, for the same positions.

        Args:
            simulation: Has the copy of the network.
            calls: The layer's.
            kernel: The spatial shape of its weight.
            images: The same images as before.
        """
        graph = simulation.both()
        made_by = producers(graph.graph)
        names = [made_by[COPY + call.node.output[0]].input[0] for call in calls]
        # What it reads may be the images themselves, which a session does not give back.
        computed = list(dict.fromkeys(name for name in names if name in made_by))
        tap = Tap(graph, computed) if computed else None
        parts: list[list[FloatArray]] = [[] for _ in calls]
        for index, batch in enumerate(images):
            values = dict(zip(computed, tap.run(batch), strict=True)) if tap else {}
            for call, name, taken in zip(calls, names, parts, strict=True):
                positions = self._positions[call.node.output[0]][index]
                taken.append(inputs_at(call, kernel, values.get(name, batch), positions))
        return np.concatenate([part for taken in parts for part in taken], axis=1)[:, self._order(calls)]


def _require_finite(values: Mapping[str, FloatArray]) -> None:
    for name, found in values.items():
        if not np.all(np.isfinite(found)):
            raise DataError(
                "a layer's outputs are not finite",
                where=f"adaround, tensor {name}",
                expected="finite numbers",
                remedy="look for NaN in the calibration images, or for overflow in the network",
            )
