"""Compressing a network and loaders that the caller holds, in the caller's process."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from paredown.contracts import Array, DataSplits, FloatArray, IntArray, Model, ModelSource, Split, State
from paredown.engine.workbench import Workbench
from paredown.errors import DataError
from paredown.plan import PrunePlan

Loader = Iterable[tuple[Any, Any]]
"""Yields batches of images (NCHW) and labels, as tensors of the framework or NumPy arrays; iterated once an epoch."""


@dataclass
class GivenWorkbench(Workbench):
    """A workbench around the caller's network and loaders."""

    model: Model = None
    loaders: dict[Split, Loader] = field(default_factory=dict)

    @cached_property
    def _collected(self) -> dict[Split, tuple[FloatArray, IntArray]]:
        return {name: _collect(loader, name) for name, loader in self.loaders.items()}

    @cached_property
    def data(self) -> DataSplits:
        """The loaders' images, read once; training itself iterates the loader, so that its augmentation stays."""
        splits = self._collected
        classes = int(max(labels.max() for _, labels in splits.values())) + 1
        return DataSplits("given", splits["train"], splits["validation"], splits["test"], classes)

    @cached_property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the first image."""
        return self.data.input_shape

    @cached_property
    def source(self) -> ModelSource:
        """A description of what was given; it names no network of the zoo."""
        channels, height, width = self.input_shape
        return ModelSource(type(self.model).__name__, self.data.num_classes, channels, (height, width))

    def build(self, plans: tuple[PrunePlan, ...] = (), state: State | None = None) -> Model:
        """A copy of the given network, cut by the plans, holding the given arrays."""
        model = self.manager.fold(self.backend, self.model, ())
        for plan in plans:
            model = self.cut(model, plan).model
        return model if state is None else self.manager.restore(self.backend, model, state)

    def epochs(self, batch_size: int, seed: int) -> tuple[int, Any]:  # noqa: ARG002
        """The loader's own batches: their size and order are the caller's."""
        loader = self.loaders["train"]
        steps = sum(1 for _ in loader)

        def epoch(index: int) -> Iterator[tuple[FloatArray, IntArray]]:  # noqa: ARG001
            return (_to_arrays(batch) for batch in itertools.islice(loader, steps))

        return steps, epoch


def _collect(loader: Loader, name: str) -> tuple[FloatArray, IntArray]:
    batches = [_to_arrays(batch) for batch in loader]
    if not batches:
        raise DataError(
            f"the {name} loader gave no batch",
            where=f"paredown.compress({name}=...)",
            expected="an iterable of (images, labels) that can be iterated again and again",
            remedy="give a DataLoader or a list of batches, not a generator",
        )
    return np.concatenate([images for images, _ in batches]), np.concatenate([labels for _, labels in batches])


def _to_arrays(batch: tuple[Any, Any]) -> tuple[FloatArray, IntArray]:
    images, labels = (_to_array(values) for values in batch)
    return images.astype(np.float32, copy=False), labels.reshape(len(labels)).astype(np.int64, copy=False)


def _to_array(values: Any) -> Array:
    detached = values.detach() if hasattr(values, "detach") else values
    on_host = detached.cpu() if hasattr(detached, "cpu") else detached
    return np.asarray(on_host.numpy() if hasattr(on_host, "numpy") else on_host)
