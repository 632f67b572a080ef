"""The options of the datasets that are read from files, and of those that are put together."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt

from paredown.spec.base import DataConfig, Frozen

Target = Literal["detection", "semantic_segmentation", "instance_segmentation"]


_Fewest = Annotated[int, Field(ge=0, le=6)]
_Most = Annotated[int, Field(ge=1, le=6)]


def _ordered(bounds: tuple[int, int]) -> tuple[int, int]:
    if bounds[0] > bounds[1]:
        raise ValueError("the fewest are more than the most")
    return bounds


class SplitCounts(Frozen):
    """How many images each split has."""

    train: PositiveInt = 1000
    validation: PositiveInt = 250
    test: PositiveInt = 250


class DigitScenesConfig(DataConfig):
    """Several of scikit-learn's handwritten digits on one noisy canvas: real ink, drawn scenes, embedded.

    `target` says what the labels are: boxes, class maps (0 is the background, digit d is d + 1) or boxes with masks.
    `objects` are the fewest and the most digits a scene has; `size` is the canvas' side in pixels.
    """

    kind: Literal["digit_scenes"] = "digit_scenes"
    target: Target
    size: Annotated[int, Field(ge=32, le=512)] = 64
    objects: Annotated[tuple[_Fewest, _Most], AfterValidator(_ordered)] = (1, 3)
    count: SplitCounts = SplitCounts()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    def tasks(self) -> tuple[str, ...]:
        """The task that the labels are for."""
        return (self.target,)
