"""The entry point: registers the tasks and the datasets by name."""

from __future__ import annotations

from paredown.contracts import Component
from paredown.markers import hookimpl
from paredown_vision.config import (
    ClassificationConfig,
    DetectionConfig,
    DigitsConfig,
    FashionMnistConfig,
    InstanceSegmentationConfig,
    MultiLabelClassificationConfig,
    SemanticSegmentationConfig,
)
from paredown_vision.dataset_configs import (
    CocoConfig,
    DigitScenesConfig,
    ImageFolderConfig,
    NpzConfig,
    VocSegmentationConfig,
)

_INSTALL = 'pip install "paredown[vision]"'


@hookimpl
def register_components() -> list[Component]:
    """The tasks and the datasets."""
    return [
        Component("task", "classification", "paredown_vision.classification:Classification", ClassificationConfig),
        Component(
            "task",
            "multi_label_classification",
            "paredown_vision.multi_label_classification:MultiLabelClassification",
            MultiLabelClassificationConfig,
            loss="binary_cross_entropy",
            output_losses=("mse",),
        ),
        Component(
            "task",
            "semantic_segmentation",
            "paredown_vision.semantic_segmentation:SemanticSegmentation",
            SemanticSegmentationConfig,
            loss="pixel_cross_entropy",
            outputs="pixels",
            output_losses=("kl", "mse", "soft_cross_entropy"),
        ),
        Component(
            "task",
            "detection",
            "paredown_vision.detection:Detection",
            DetectionConfig,
            loss="detection",
            outputs="boxes",
            output_losses=("mse",),
            distributions=("pycocotools",),
            install=_INSTALL,
        ),
        Component(
            "task",
            "instance_segmentation",
            "paredown_vision.instance_segmentation:InstanceSegmentation",
            InstanceSegmentationConfig,
            loss="fcos_mask",
            outputs="masks",
            output_losses=("mse",),
            distributions=("pycocotools",),
            install=_INSTALL,
        ),
        Component("data", "digits", "paredown_vision.digits:load_digits", DigitsConfig),
        Component("data", "fashion_mnist", "paredown_vision.fashion_mnist:load_fashion_mnist", FashionMnistConfig),
        Component("data", "digit_scenes", "paredown_vision.digit_scenes:load_digit_scenes", DigitScenesConfig),
        Component("data", "npz", "paredown_vision.npz:load_npz", NpzConfig),
        Component(
            "data",
            "image_folder",
            "paredown_vision.image_folder:load_image_folder",
            ImageFolderConfig,
            distributions=("pillow",),
            install=_INSTALL,
        ),
        Component(
            "data",
            "voc_segmentation",
            "paredown_vision.voc_segmentation:load_voc_segmentation",
            VocSegmentationConfig,
            distributions=("pillow",),
            install=_INSTALL,
        ),
        Component(
            "data",
            "coco",
            "paredown_vision.coco:load_coco",
            CocoConfig,
            distributions=("pillow", "pycocotools"),
            install=_INSTALL,
        ),
    ]
