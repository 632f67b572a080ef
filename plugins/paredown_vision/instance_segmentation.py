"""The task of instance segmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from paredown.algorithms.detection import Instances, decode_instances, shared_instances
from paredown.contracts import Array, Drawing, Outputs
from paredown_vision.average_precision import MaskPrecision
from paredown_vision.config import InstanceSegmentationConfig
from paredown_vision.detection import SURE, known_size
from paredown_vision.drawing import draw_instances, draw_objects
from paredown_vision.tallies import Share, metrics_of, share_of


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
        return metrics_of(self.metric_tally(), outputs, labels)

    def agreement(self, outputs: Outputs, reference: Outputs) -> float | None:
        """The share of objects with a score of at least 0.3 that both networks found.

        None where neither found one. Two are the same where class and mask are: an intersection over union of at
        least 0.5. See `paredown.algorithms.detection.mask_agreement`.
        """
        return share_of(self._alike, outputs, reference)

    def metric_tally(self) -> FoundMasks:
        """Counts `metrics` batch by batch."""
        return FoundMasks(lambda outputs: self._decoded(outputs, self.config.least_score))

    def agreement_tally(self) -> Share:
        """Counts `agreement` batch by batch."""
        return Share(self._alike)

    def drawings(self, outputs: Outputs) -> list[Drawing]:
        """Of each image the objects with a score of at least 0.3, with their masks."""
        return [draw_instances(one) for one in self._sure(outputs)]

    def true_drawings(self, labels: Array) -> list[Drawing]:
        """Of each image its objects, crowds among them; labels are records of `paredown.algorithms.objects`."""
        return [draw_objects(one) for one in labels]

    def _sure(self, outputs: Outputs) -> Iterator[Instances]:
        return self._decoded(outputs, max(SURE, self.config.least_score))

    def _alike(self, outputs: Outputs, reference: Outputs) -> tuple[int, int]:
        return shared_instances(self._sure(outputs), self._sure(reference))

    def _decoded(self, outputs: Outputs, least_score: float) -> Iterator[Instances]:
        return decode_instances(
            outputs,
            known_size(self._image_size),
            least_score=least_score,
            overlap=self.config.overlap,
            most=self.config.most,
        )


class FoundMasks:
    """The objects that were found in all images, and those that are there."""

    def __init__(self, decoded: Callable[[Outputs], Iterator[Instances]]) -> None:
        """Begins with no image; `decoded` gives the objects of a batch, one image after the other."""
        self._decoded = decoded
        self._precision = MaskPrecision()

    def update(self, outputs: Outputs, labels: Array) -> None:
        """Keeps the run lengths of a batch, and not its outputs."""
        self._precision.add(self._decoded(outputs), labels)

    def compute(self) -> dict[str, float]:
        """The metrics of all images."""
        overall, at_half = self._precision.compute()
        return {"map": overall, "ap50": at_half}
