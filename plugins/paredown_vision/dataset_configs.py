"""The options of the datasets that are read from files, and of those that are put together."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt

from paredown.spec.base import DataConfig, Frozen
from paredown.spec.training import Share
from paredown_vision.config import SplitLimits

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


Fit = Literal["crop", "stretch", "pad"]


class PictureOptions(DataConfig):
    """What the datasets of picture files share: how a file becomes an input of `size` (height, width).

    `fit` says what happens to other proportions: `crop` keeps the middle, `stretch` changes them, `pad` adds margins.
    `on_error` says what happens to files that cannot be used. `limit` caps each split.
    """

    directory: str
    size: tuple[PositiveInt, PositiveInt]
    channels: Literal[1, 3] = 3
    fit: Fit = "crop"
    on_error: Literal["refuse", "skip"] = "refuse"
    limit: PositiveInt | SplitLimits | None = None


class SplitShares(Frozen):
    """How one tree of pictures is split: the shares of validation and test, each class shared out alike."""

    validation: Share = 0.15
    test: Share = 0.25
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


def _some_left(shares: SplitShares) -> SplitShares:
    if shares.validation + shares.test >= 1:
        raise ValueError("the shares of validation and test leave nothing to train on")
    return shares


class ImageFolderConfig(PictureOptions):
    """Pictures in one folder a class: PNG, JPEG, BMP or WebP.

    `directory` holds either the folders `train`, `validation` (or `val`) and `test` with a folder a class in each, or a
    folder a class, which are then split once by `split`.
    """

    kind: Literal["image_folder"] = "image_folder"
    split: Annotated[SplitShares, AfterValidator(_some_left)] = SplitShares()

    def tasks(self) -> tuple[str, ...]:
        """One class an image."""
        return ("classification",)


class NpzConfig(DataConfig):
    """Arrays in one NumPy file, named by split: `train_images`, `train_labels`, `validation_images` and so on.

    Images are uint8, or float32, [count, channels, height, width]. For objects in images `train_boxes`, `train_classes`
    and, where there are any, `train_crowd` and `train_masks` stand in place of `train_labels`. `on_error` says what
    happens to objects that cannot be used, `outside` to boxes that reach out of their image by more than a pixel.
    """

    kind: Literal["npz"] = "npz"
    path: str
    num_classes: Annotated[int, Field(ge=2)] | None = None
    on_error: Literal["refuse", "skip"] = "refuse"
    outside: Literal["clip", "refuse"] = "refuse"
    limit: PositiveInt | SplitLimits | None = None


class VocLists(Frozen):
    """The lists of names under `ImageSets/Segmentation`; without one for test, validation's is halved."""

    train: str = "train"
    validation: str = "val"
    test: str | None = None


class VocSegmentationConfig(PictureOptions):
    """Pictures with a map of classes each, in the layout of Pascal VOC (Everingham et al., 2010).

    `directory` holds `JPEGImages`, `SegmentationClass` (PNG files whose palette indices are classes; 255 does not
    count) and `ImageSets/Segmentation`.
    """

    kind: Literal["voc_segmentation"] = "voc_segmentation"
    num_classes: Annotated[int, Field(ge=2, le=255)] = 21
    lists: VocLists = VocLists()

    def tasks(self) -> tuple[str, ...]:
        """One class a pixel."""
        return ("semantic_segmentation",)


class CocoPart(Frozen):
    """One split: the folder of its pictures, and the JSON file of its objects; both relative to `directory`."""

    images: str
    annotations: str


class CocoConfig(PictureOptions):
    """Pictures with objects, in the format of COCO's instances (Lin et al., 2014).

    Without `test`, validation is halved. `outside` says what happens to boxes that reach out of their picture by more
    than a pixel.
    """

    kind: Literal["coco"] = "coco"
    target: Literal["detection", "instance_segmentation"] = "detection"
    train: CocoPart
    validation: CocoPart
    test: CocoPart | None = None
    outside: Literal["clip", "refuse"] = "refuse"

    def tasks(self) -> tuple[str, ...]:
        """The task that the labels are for."""
        return (self.target,)
