"""A run's workbench over drawn images, so that every network of the matrix gets images of its own size."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from agreement.networks import lively, strengthened
from matrix.cells import CLASSES, RATIO, Cell, network

from paredown.algorithms.initialization import draw
from paredown.algorithms.outputs import concatenated
from paredown.contracts import Array, DataSplits, FloatArray, IntArray, Model, Outputs, RunContext, Split, State
from paredown.engine.workbench import Workbench
from paredown.manager import Manager
from paredown.spec.loader import load_spec


class MatrixBench(Workbench):
    """A run's workbench over a few drawn images."""

    @cached_property
    def data(self) -> DataSplits:
        """One batch a split, standard normal."""
        source = self.source
        count, shape = network(source.name).batch, (source.in_channels, *source.input_size)
        train, validation, test = (_images(count, shape, seed) for seed in range(3))
        return DataSplits("drawn", train, validation, test, CLASSES)

    def outputs(self, model: Model, split: Split) -> Outputs:
        """What the network answers to a split."""
        return concatenated(list(self.answers(model, split)))

    def build_lively(self) -> Model:
        """The network with weights that core drew, where no array is such that it hides an error."""
        model = self.build()
        state = _no_zeros(lively(draw(self.state(model), self.context.seed), network(self.source.name).gain))
        return self.strengthen(self.manager.restore(self.backend, model, state))

    def strengthen(self, model: Model) -> Model:
        """Scales every convolution's weights so that the image reaches the outputs, and is not blown up on the way.

        Drawn weights of depthwise layers are so small that a deep network gives all images the same outputs, to
        rounding: what is compared then are biases. A cut halves what every layer sums up, to the same effect.
        """
        gain = network(self.source.name).gain
        state = {name: strengthened(values, gain) for name, values in self.state(model).items()}
        return self.manager.restore(self.backend, model, state)


def workbench(manager: Manager, cell: Cell, backend: str | None = None) -> MatrixBench:
    """The workbench of a cell, or of its network on another backend."""
    channels, height, width = network(cell.network).input_shape
    spec = {
        "version": 1,
        "name": "matrix",
        "task": {"kind": "classification"},
        "data": {"kind": "digits"},
        "model": {
            "kind": "zoo",
            "name": cell.network,
            "num_classes": CLASSES,
            "in_channels": channels,
            "input_size": [height, width],
        },
        "baseline": {"epochs": 1},
        "steps": [{"kind": "prune", "criterion": {"kind": "l2"}, "scope": "local", "ratio": RATIO}],
        "deploy": {"runtime": {"kind": "onnxruntime"}},
    }
    checked = load_spec(spec, manager.registry)
    return MatrixBench(manager, backend or cell.backend, checked, RunContext(seed=0, device="cpu"))


def _no_zeros(state: State) -> dict[str, Array]:
    """The state with numbers where an array is all zeros: a layer scale of zero would switch its branch off."""
    generator = np.random.default_rng(1)
    return {
        name: values if np.any(values) else generator.uniform(0.25, 0.5, values.shape).astype(np.float32)
        for name, values in state.items()
    }


def _images(count: int, shape: tuple[int, int, int], seed: int) -> tuple[FloatArray, IntArray]:
    images = np.random.default_rng(seed).standard_normal((count, *shape)).astype(np.float32)
    return images, np.arange(count) % CLASSES
