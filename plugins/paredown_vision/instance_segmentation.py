"""The task of instance segmentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from paredown.algorithms.detection import Detections, Instances, decode_instances, shared_instances
from paredown.contracts import Array, Drawing, Outputs
from paredown_vision.drawing import draw_instances
from paredown_vision.object_task import ObjectTask


class InstanceSegmentation(ObjectTask[Instances]):
    """Masks with classes, from what a detector gives, coefficients and prototypes (`paredown.algorithms.detection`)."""

    def decode(self, outputs: Outputs, image_size: tuple[int, int], least_score: float) -> Iterator[Instances]:
        """The objects of each image; one after the other, since masks take memory."""
        overlap, most = self.config.overlap, self.config.most
        return decode_instances(outputs, image_size, least_score=least_score, overlap=overlap, most=most)

    def regions(self, found: Instances) -> tuple[Detections, Array]:
        """The objects of one image, and their masks."""
        return found.detections, found.masks

    def shared(self, found: Iterable[Instances], reference: Iterable[Instances]) -> tuple[int, int]:
        """How many objects are in pairs, by the overlap of masks, and how many there are."""
        return shared_instances(found, reference)

    def draw(self, found: Instances) -> Drawing:
        """The boxes of one image with their masks."""
        return draw_instances(found)
