"""Datasets and tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from paredown.contracts.arrays import Array, Outputs


class Images(Protocol):
    """The images of a split: an array, or what gives arrays of some of them, so that not all need be in memory.

    They are float32, [count, channels, height, width], finite, and the same whenever they are asked for.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(count, channels, height, width)."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any) -> Any:
        """Those of a slice or of an array of places, as an array."""
        ...


@dataclass(frozen=True, slots=True)
class DataSplits:
    """A dataset, split once. Images are normalised, and may be no array but what gives arrays (`Images`).

    Labels are one array with the images along its first axis; the rest of its shape is the task's: int64 [images] for
    classification, int64 [images, classes] of 0 and 1 for several classes an image, int64 or uint8 [images, height,
    width] for semantic segmentation, 255 where a pixel does not count, and for objects in images the structured arrays
    [images] of `paredown.algorithms.objects`. Losses and tasks are given int64 in place of uint8, batch by batch.
    """

    name: str
    train: tuple[Images, Array]
    validation: tuple[Images, Array]
    test: tuple[Images, Array]
    num_classes: int
    notes: tuple[str, ...] = ()
    """What a reader of the results should know: what was left out, and why."""

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        channels, height, width = self.train[0].shape[1:]
        return channels, height, width


class Task(Protocol):
    """What the network is for: turns its outputs into metrics. `primary` names the metric that bounds refer to.

    Outputs are what the network returned, float32, labels what the data gives, both with the images along the first
    axis. The loss that a network is trained with, and what shape outputs have, stand in the task's `Component`.
    """

    primary: str

    def metrics(self, outputs: Outputs, labels: Array) -> dict[str, float]:
        """Metrics by name, each in [0, 1], greater is better."""
        ...

    def agreement(self, outputs: Outputs, reference: Outputs) -> float | None:
        """The share of predictions, in [0, 1], that are the same in two networks' outputs for the same images.

        None where neither predicts anything: a share of nothing says nothing.
        """
        ...


class MetricTally(Protocol):
    """Metrics that are counted batch by batch, so that no split's outputs are held as a whole."""

    def update(self, outputs: Outputs, labels: Array) -> None:
        """Counts a batch; neither argument is changed."""
        ...

    def compute(self) -> dict[str, float]:
        """The metrics of all batches, as `Task.metrics` of them joined."""
        ...


class AgreementTally(Protocol):
    """The agreement of two networks, counted batch by batch."""

    def update(self, outputs: Outputs, reference: Outputs) -> None:
        """Counts a batch of both; neither argument is changed."""
        ...

    def compute(self) -> float | None:
        """The agreement over all batches, as `Task.agreement` of them joined."""
        ...


class TallyingTask(Task, Protocol):
    """A task that counts batch by batch; of another one core keeps all outputs of a split until the last."""

    def metric_tally(self) -> MetricTally:
        """A new count of the metrics."""
        ...

    def agreement_tally(self) -> AgreementTally:
        """A new count of the agreement."""
        ...


class PlacedTask(Task, Protocol):
    """A task whose predictions are places in the images, and which has to know their size."""

    def sized(self, height: int, width: int) -> Task:
        """The task for images of this size, in pixels. `primary` holds without it; nothing else is asked before."""
        ...


DataLoader = Callable[[Any, "Path"], DataSplits]
"""Loads a dataset: takes its options and the directory that relative paths in them start from."""
