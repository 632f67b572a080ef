"""The options of the datasets and the tasks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from paredown.spec.base import ComponentConfig, DataConfig, Frozen


class SplitLimits(Frozen):
    """At most so many images in each split; a split that is not named is whole."""

    train: PositiveInt | None = None
    validation: PositiveInt | None = None
    test: PositiveInt | None = None


class DigitsConfig(DataConfig):
    """scikit-learn's handwritten digits: 1,797 real images of 8 x 8, ten classes, embedded. `limit` caps each split."""

    kind: Literal["digits"] = "digits"
    limit: PositiveInt | SplitLimits | None = None

    def tasks(self) -> tuple[str, ...]:
        """One class an image."""
        return ("classification",)


class FashionMnistConfig(DataConfig):
    """Fashion-MNIST (Xiao et al., 2017): 70,000 images of 28 x 28, ten classes, from its four IDX files.

    `directory` holds them, gzipped or not, relative to the spec; without it the place of Debian's
    `dataset-fashion-mnist` is used. `limit` caps each split, or the splits that it names.
    """

    kind: Literal["fashion_mnist"] = "fashion_mnist"
    directory: str | None = None
    limit: PositiveInt | SplitLimits | None = None

    def tasks(self) -> tuple[str, ...]:
        """One class an image."""
        return ("classification",)


class ClassificationConfig(ComponentConfig):
    """One class an image; the metrics are top-1 accuracy and, for more than five classes, top-5 accuracy."""

    kind: Literal["classification"] = "classification"


class MultiLabelClassificationConfig(ComponentConfig):
    """Any number of classes an image; the metric is mean average precision over the classes."""

    kind: Literal["multi_label_classification"] = "multi_label_classification"


class SemanticSegmentationConfig(ComponentConfig):
    """One class a pixel; the metrics are mean intersection over union and pixel accuracy."""

    kind: Literal["semantic_segmentation"] = "semantic_segmentation"


class DetectionConfig(ComponentConfig):
    """Boxes of objects; the metrics are COCO's mean average precision (IoU 0.5 to 0.95) and that at IoU 0.5.

    Detections below `least_score` are dropped; so is the less sure of two of one class whose intersection over union is
    above `overlap`; `most` of the surest of an image are kept.
    """

    kind: Literal["detection"] = "detection"
    least_score: Annotated[float, Field(ge=0, lt=1)] = 0.05
    overlap: Annotated[float, Field(gt=0, le=1)] = 0.6
    most: Annotated[int, Field(ge=1, le=100)] = 100


class InstanceSegmentationConfig(ComponentConfig):
    """Masks of objects; the metrics are COCO's mean average precision of masks (IoU 0.5 to 0.95) and that at IoU 0.5.

    Objects with less than `least_score` are dropped; so is the less sure of two of one class whose boxes' intersection
    over union is above `overlap`; `most` of the surest of an image are kept.
    """

    kind: Literal["instance_segmentation"] = "instance_segmentation"
    least_score: Annotated[float, Field(ge=0, lt=1)] = 0.05
    overlap: Annotated[float, Field(gt=0, le=1)] = 0.6
    most: Annotated[int, Field(ge=1, le=100)] = 100
