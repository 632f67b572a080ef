"""Datasets and tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from paredown.contracts.arrays import Array, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class DataSplits:
    """A dataset, split once. Images are float32, NCHW, normalised.

    Labels have the batch axis first: int64, or for objects in images one structured array (`algorithms.objects`).
    """

    name: str
    train: tuple[FloatArray, Array]
    validation: tuple[FloatArray, Array]
    test: tuple[FloatArray, Array]
    num_classes: int

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        channels, height, width = self.train[0].shape[1:]
        return channels, height, width


class Task(Protocol):
    """What the network is for: turns its outputs into metrics. `primary` names the metric that bounds refer to."""

    primary: str

    def metrics(self, outputs: FloatArray, labels: IntArray) -> dict[str, float]:
        """Metrics by name, each in [0, 1], greater is better. `outputs` is what the network returned."""
        ...


DataLoader = Callable[[Any, "Path"], DataSplits]
"""Loads a dataset: takes its options and the directory that relative paths in them start from."""
