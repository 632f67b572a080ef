"""What a task lets a report draw on images: objects with boxes, and maps of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from paredown.contracts.arrays import Array, Outputs
from paredown.contracts.data import Task


@dataclass(frozen=True, slots=True)
class DrawnObject:
    """One object of an image.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the network's input, of which x2 and y2 are outside.
        label: Its class, from 0.
        score: How sure the network is, in [0, 1]; None for what is known.
        crowd: Whether the box holds a crowd, which is neither to be found nor to be missed.
        mask: [height, width], not zero where the object is; None where there is a box alone.
    """

    box: tuple[float, float, float, float]
    label: int
    score: float | None = None
    crowd: bool = False
    mask: Array | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn on one image: its objects, or the class of each pixel, or both.

    Attributes:
        objects: In the order in which they are drawn.
        class_map: Whole numbers [height, width] of the size of the network's input; from 255 on nothing is drawn.
    """

    objects: tuple[DrawnObject, ...] = ()
    class_map: Array | None = None


class DrawingTask(Task, Protocol):
    """A task whose predictions can be seen: a run keeps a few of them for the report."""

    def drawings(self, outputs: Outputs) -> Sequence[Drawing]:
        """What a network predicts, one for each image; outputs are those of a few images of the test split."""
        ...

    def true_drawings(self, labels: Array) -> Sequence[Drawing]:
        """What the labels of these images say, one for each."""
        ...
