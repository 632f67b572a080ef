"""The task of instance segmentation."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.algorithms.detection import Instances, decode_instances, mask_agreement
from paredown.contracts import Array, Outputs
from paredown_vision.average_precision import mask_average_precision
from paredown_vision.config import InstanceSegmentationConfig
from paredown_vision.detection import SURE, known_size


class InstanceSegmentation:
    """Masks with classes, from the outputs of a detector with prototypes (see `paredown.algorithms.detection`)."""

    primary = "map"

    def __init__(self, config: InstanceSegmentationConfig, image_size: tuple[int, int] | None = None) -> None:
        self.config = config
        self._image_size = image_size

    def sized(self, height: int, width: int) -> InstanceSegmentation:
        """The task for images of this size, in pixels."""
        return InstanceSegmentation(self.config, (height, width))

    def metrics(self, outputs: Outputs, labels: Array) -> dict[str, float]:
        """`map`: COCO's mean average precision over IoU 0.50, 0.55, ... 0.95 of masks and classes; `ap50`: at IoU 0.5.

        Both by pycocotools (Lin et al., 2014); 0 where no image has an object.

        Args:
            outputs: Logits [count, classes, positions], distances [count, 4, positions], centerness [count, positions],
                coefficients [count, prototypes, positions], prototypes [count, prototypes, height, width].
            labels: Records of `paredown.algorithms.objects` with masks, [count].

        Raises:
            ModelError: The outputs are not those of a detector with masks for images of this size.
            ComponentMissing: pycocotools is not installed.
        """
        overall, at_half = mask_average_precision(self._decoded(outputs, self.config.least_score), labels)
        return {"map": overall, "ap50": at_half}

    def agreement(self, outputs: Outputs, reference: Outputs) -> float:
        """The share of objects with a score of at least 0.3 that both networks found.

        Two are the same where class and mask are: an intersection over union of at least 0.5. See
        `paredown.algorithms.detection.mask_agreement`.
        """
        least_score = max(SURE, self.config.least_score)
        return mask_agreement(self._decoded(outputs, least_score), self._decoded(reference, least_score))

    def _decoded(self, outputs: Outputs, least_score: float) -> Iterator[Instances]:
        return decode_instances(
            outputs,
            known_size(self._image_size),
            least_score=least_score,
            overlap=self.config.overlap,
            most=self.config.most,
        )
