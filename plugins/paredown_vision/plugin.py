"""The entry point: registers the task and the datasets by name."""

from __future__ import annotations

from paredown.contracts import Component
from paredown.markers import hookimpl
from paredown_vision.config import ClassificationConfig, DigitsConfig, FashionMnistConfig
from paredown_vision.dataset_configs import DigitScenesConfig


@hookimpl
def register_components() -> list[Component]:
    """The classification task and the datasets."""
    return [
        Component("task", "classification", "paredown_vision.classification:Classification", ClassificationConfig),
        Component("data", "digits", "paredown_vision.digits:load_digits", DigitsConfig),
        Component("data", "fashion_mnist", "paredown_vision.fashion_mnist:load_fashion_mnist", FashionMnistConfig),
        Component("data", "digit_scenes", "paredown_vision.digit_scenes:load_digit_scenes", DigitScenesConfig),
    ]
