"""What the tasks of objects share: detection and instance segmentation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Generic, Self, TypeVar

from paredown.algorithms.detection import Detections
from paredown.contracts import Array, Drawing, Outputs
from paredown.errors import ModelError
from paredown_vision.average_precision import Kind, Precision
from paredown_vision.config import DetectionConfig, InstanceSegmentationConfig
from paredown_vision.drawing import draw_objects
from paredown_vision.tallies import Share, metrics_of, share_of

SURE = 0.3
"""The score from which on what was found counts for `agreement`, and is drawn."""

Found = TypeVar("Found")
"""What is found in one image."""


class ObjectTask(ABC, Generic[Found]):
    """Objects with classes, from the outputs of an anchor-free detector (see `paredown.algorithms.detection`)."""

    primary = "map"

    def __init__(
        self, config: DetectionConfig | InstanceSegmentationConfig, image_size: tuple[int, int] | None = None
    ) -> None:
        self.config = config
        self._image_size = image_size

    @abstractmethod
    def decode(self, outputs: Outputs, image_size: tuple[int, int], least_score: float) -> Iterable[Found]:
        """What the network found in each image, one after the other, with at least this score.

        Raises:
            ModelError: The outputs are not those of a detector of this task for images of this size.
        """

    @abstractmethod
    def regions(self, found: Found) -> tuple[Detections, Array]:
        """What was detected in one image, and where: boxes [count, 4] or masks [count, height, width]."""

    @abstractmethod
    def shared(self, found: Iterable[Found], reference: Iterable[Found]) -> tuple[int, int]:
        """How much of what two networks found in the same images is in pairs, and how much there is."""

    @abstractmethod
    def draw(self, found: Found) -> Drawing:
        """What a report shows of one image."""

    def sized(self, height: int, width: int) -> Self:
        """The task for images of this size, in pixels."""
        return type(self)(self.config, (height, width))

    def metrics(self, outputs: Outputs, labels: Array) -> dict[str, float]:
        """`map`: COCO's mean average precision over IoU 0.50, 0.55, ... 0.95 and classes; `ap50`: that at IoU 0.5.

        Both by pycocotools (Lin et al., 2014); 0 where no image has an object.

        Args:
            outputs: Those of a detector of this task; see `paredown.algorithms.detection`.
            labels: Records of `paredown.algorithms.objects`, [count].

        Raises:
            ModelError: The outputs are not those of a detector of this task for images of this size.
            ComponentMissing: pycocotools is not installed.
        """
        return metrics_of(self.metric_tally(), outputs, labels)

    def agreement(self, outputs: Outputs, reference: Outputs) -> float | None:
        """The share of objects with a score of at least 0.3 that both networks found.

        None where neither found one. Two are the same where class and place are: an intersection over union of at
        least 0.5.
        """
        return share_of(self._alike, outputs, reference)

    def metric_tally(self) -> FoundObjects:
        """Counts `metrics` batch by batch."""
        return FoundObjects(self.config.kind, self._placed)

    def agreement_tally(self) -> Share:
        """Counts `agreement` batch by batch."""
        return Share(self._alike)

    def drawings(self, outputs: Outputs) -> list[Drawing]:
        """Of each image the objects with a score of at least 0.3."""
        return [self.draw(one) for one in self._sure(outputs)]

    def true_drawings(self, labels: Array) -> list[Drawing]:
        """Of each image its objects, crowds among them; labels are records of `paredown.algorithms.objects`."""
        return [draw_objects(one) for one in labels]

    def _alike(self, outputs: Outputs, reference: Outputs) -> tuple[int, int]:
        return self.shared(self._sure(outputs), self._sure(reference))

    def _sure(self, outputs: Outputs) -> Iterable[Found]:
        return self.decode(outputs, self._size(), max(SURE, self.config.least_score))

    def _placed(self, outputs: Outputs) -> Iterable[tuple[Detections, Array]]:
        return map(self.regions, self.decode(outputs, self._size(), self.config.least_score))

    def _size(self) -> tuple[int, int]:
        if self._image_size is not None:
            return self._image_size
        raise ModelError(
            "the task was not told the size of the images",
            where="task",
            expected="`sized(height, width)` before anything else",
            remedy="ask `sized` for the task of these images",
        )


class FoundObjects:
    """The objects that were found in all images, and those that are there."""

    def __init__(self, kind: Kind, placed: Callable[[Outputs], Iterable[tuple[Detections, Array]]]) -> None:
        """Begins with no image; `placed` gives, of a batch, what was detected in each image, and its regions.

        Raises:
            ComponentMissing: pycocotools is not installed.
        """
        self._placed = placed
        self._precision = Precision(kind)

    def update(self, outputs: Outputs, labels: Array) -> None:
        """Keeps what was found in a batch, and not its outputs."""
        self._precision.add(self._placed(outputs), labels)

    def compute(self) -> dict[str, float]:
        """The metrics of all images."""
        overall, at_half = self._precision.compute()
        return {"map": overall, "ap50": at_half}
