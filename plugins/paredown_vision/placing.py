"""How a picture of any size comes to lie on the network's input, and where its boxes go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from paredown.contracts import FloatArray
from paredown_vision.dataset_configs import Fit

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Placement:
    """Which part of a picture lies where on the input.

    Attributes:
        source: left, top, right, bottom of the part, in the picture's pixels.
        corner: x, y of its top left corner on the input.
        extent: Its width and height there.
        size: Height and width of the input.
    """

    source: tuple[float, float, float, float]
    corner: tuple[int, int]
    extent: tuple[int, int]
    size: tuple[int, int]

    @classmethod
    def of(cls, width: int, height: int, size: tuple[int, int], fit: Fit) -> Placement:
        """How a picture of `width` x `height` comes to lie on an input of `size` (height, width).

        `stretch` takes all of it and changes its proportions; `crop` takes the greatest part in its middle that has the
        input's proportions; `pad` takes all of it, in the middle of the input, and leaves the rest empty.
        """
        whole = (0.0, 0.0, float(width), float(height))
        target = (size[1], size[0])
        if fit == "stretch":
            return cls(whole, (0, 0), target, size)
        scales = (target[0] / width, target[1] / height)
        if fit == "crop":
            scale = max(scales)
            kept = (min(width, target[0] / scale), min(height, target[1] / scale))
            left, top = (width - kept[0]) / 2, (height - kept[1]) / 2
            return cls((left, top, left + kept[0], top + kept[1]), (0, 0), target, size)
        extent = (max(1, round(width * min(scales))), max(1, round(height * min(scales))))
        corner = ((target[0] - extent[0]) // 2, (target[1] - extent[1]) // 2)
        return cls(whole, corner, extent, size)

    def picture(self, image: Image, resample: Any, empty: int) -> Image:
        """The input, with `empty` where the picture does not reach."""
        from PIL import Image as Module

        placed = image.resize(self.extent, resample, box=self.source)
        if self.extent == (self.size[1], self.size[0]):
            return placed
        canvas = Module.new(image.mode, (self.size[1], self.size[0]), (empty,) * len(image.getbands()))
        canvas.paste(placed, self.corner)
        return canvas

    def boxes(self, boxes: FloatArray) -> FloatArray:
        """Boxes [count, 4] of the picture (x1, y1, x2, y2) on the input, cut at its edges; float32."""
        left, top, right, bottom = self.source
        scale = np.array([self.extent[0] / (right - left), self.extent[1] / (bottom - top)] * 2)
        placed = (boxes - np.array([left, top] * 2)) * scale + np.array(self.corner * 2)
        return np.asarray(np.clip(placed, 0, np.array([self.size[1], self.size[0]] * 2)), np.float32)
