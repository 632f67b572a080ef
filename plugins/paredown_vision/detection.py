"""The detection task."""

from __future__ import annotations

from collections.abc import Iterable

from paredown.algorithms.detection import Detections, decode, shared_detections
from paredown.contracts import Array, Drawing, Outputs
from paredown_vision.drawing import draw_detections
from paredown_vision.object_task import ObjectTask


class Detection(ObjectTask[Detections]):
    """Boxes with classes, from logits, distances and centerness (see `paredown.algorithms.detection`)."""

    def decode(self, outputs: Outputs, image_size: tuple[int, int], least_score: float) -> list[Detections]:
        """The detections of each image."""
        overlap, most = self.config.overlap, self.config.most
        return decode(outputs, image_size, least_score=least_score, overlap=overlap, most=most)

    def regions(self, found: Detections) -> tuple[Detections, Array]:
        """The detections of one image, and their boxes."""
        return found, found.boxes

    def shared(self, found: Iterable[Detections], reference: Iterable[Detections]) -> tuple[int, int]:
        """How many detections are in pairs, by the overlap of boxes, and how many there are."""
        return shared_detections(found, reference)

    def draw(self, found: Detections) -> Drawing:
        """The boxes of one image."""
        return draw_detections(found)
