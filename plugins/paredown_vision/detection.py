"""The detection task."""

from __future__ import annotations

from paredown.algorithms.detection import Detections, agreement, decode
from paredown.contracts import Array, Drawing, Outputs
from paredown.errors import ModelError
from paredown_vision.average_precision import average_precision
from paredown_vision.config import DetectionConfig
from paredown_vision.drawing import draw_detections, draw_objects

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
        found = self._decoded(outputs, self.config.least_score)
        overall, at_half = average_precision(found, labels)
        return {"map": overall, "ap50": at_half}

    def agreement(self, outputs: Outputs, reference: Outputs) -> float:
        """The share of detections with a score of at least 0.3 that both networks made.

        Two are the same where class and place are: an intersection over union of at least 0.5. See
        `paredown.algorithms.detection.agreement`.
        """
        first, second = (self._sure(one) for one in (outputs, reference))
        return agreement(first, second)

    def drawings(self, outputs: Outputs) -> list[Drawing]:
        """Of each image the detections with a score of at least 0.3."""
        return [draw_detections(one) for one in self._sure(outputs)]

    def true_drawings(self, labels: Array) -> list[Drawing]:
        """Of each image its objects, crowds among them; labels are records of `paredown.algorithms.objects`."""
        return [draw_objects(one) for one in labels]

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
