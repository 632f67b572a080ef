"""The detection task."""

from __future__ import annotations

from collections.abc import Callable

from paredown.algorithms.detection import Detections, decode, shared_detections
from paredown.contracts import Array, Drawing, Outputs
from paredown.errors import ModelError
from paredown_vision.average_precision import BoxPrecision
from paredown_vision.config import DetectionConfig
from paredown_vision.drawing import draw_detections, draw_objects
from paredown_vision.tallies import Share, metrics_of, share_of

SURE = 0.3
"""The score from which on detections count for `agreement`, and are drawn."""


class Detection:
    """Boxes with classes, from the outputs of an anchor-free detector (see `paredown.algorithms.detection`)."""

    primary = "map"

    def __init__(self, config: DetectionConfig, image_size: tuple[int, int] | None = None) -> None:
        self.config = config
        self._image_size = image_size

    def sized(self, height: int, width: int) -> Detection:
        """The task for images of this size, in pixels."""
        return Detection(self.config, (height, width))

    def metrics(self, outputs: Outputs, labels: Array) -> dict[str, float]:
        """`map`: COCO's mean average precision over IoU 0.50, 0.55, ... 0.95 and classes; `ap50`: that at IoU 0.5.

        Both by pycocotools (Lin et al., 2014); 0 where no image has an object.

        Args:
            outputs: Logits [count, classes, positions], distances [count, 4, positions], centerness [count, positions].
            labels: Records of `paredown.algorithms.objects`, [count].

        Raises:
            ModelError: The outputs are not those of a detector for images of this size.
            ComponentMissing: pycocotools is not installed.
        """
        return metrics_of(self.metric_tally(), outputs, labels)

    def agreement(self, outputs: Outputs, reference: Outputs) -> float | None:
        """The share of detections with a score of at least 0.3 that both networks made.

        None where neither made one. Two are the same where class and place are: an intersection over union of at
        least 0.5. See `paredown.algorithms.detection.agreement`.
        """
        return share_of(self._alike, outputs, reference)

    def metric_tally(self) -> FoundBoxes:
        """Counts `metrics` batch by batch."""
        return FoundBoxes(lambda outputs: self._decoded(outputs, self.config.least_score))

    def agreement_tally(self) -> Share:
        """Counts `agreement` batch by batch."""
        return Share(self._alike)

    def drawings(self, outputs: Outputs) -> list[Drawing]:
        """Of each image the detections with a score of at least 0.3."""
        return [draw_detections(one) for one in self._sure(outputs)]

    def true_drawings(self, labels: Array) -> list[Drawing]:
        """Of each image its objects, crowds among them; labels are records of `paredown.algorithms.objects`."""
        return [draw_objects(one) for one in labels]

    def _alike(self, outputs: Outputs, reference: Outputs) -> tuple[int, int]:
        return shared_detections(self._sure(outputs), self._sure(reference))

    def _sure(self, outputs: Outputs) -> list[Detections]:
        return self._decoded(outputs, max(SURE, self.config.least_score))

    def _decoded(self, outputs: Outputs, least_score: float) -> list[Detections]:
        return decode(
            outputs,
            known_size(self._image_size),
            least_score=least_score,
            overlap=self.config.overlap,
            most=self.config.most,
        )


class FoundBoxes:
    """What was detected in all images, and what is there."""

    def __init__(self, decoded: Callable[[Outputs], list[Detections]]) -> None:
        """Begins with no image; `decoded` gives the detections of a batch."""
        self._decoded = decoded
        self._precision = BoxPrecision()

    def update(self, outputs: Outputs, labels: Array) -> None:
        """Keeps the detections of a batch, and not its outputs."""
        self._precision.add(self._decoded(outputs), labels)

    def compute(self) -> dict[str, float]:
        """The metrics of all images."""
        overall, at_half = self._precision.compute()
        return {"map": overall, "ap50": at_half}


def known_size(image_size: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width of the images.

    Raises:
        ModelError: They are not known.
    """
    if image_size is not None:
        return image_size
    raise ModelError(
        "the task was not told the size of the images",
        where="task",
        expected="`sized(height, width)` before anything else",
        remedy="ask `sized` for the task of these images",
    )
