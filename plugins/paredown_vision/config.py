"""The options of the datasets and the tasks."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

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
