"""scikit-learn's handwritten digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paredown.contracts import DataSplits
from paredown_vision.config import DigitsConfig
from paredown_vision.splits import Part, make_splits, stratified


def load_digits(config: DigitsConfig, base_dir: Path) -> DataSplits:  # noqa: ARG001 - it reads no file
    """The digits as 1 x 8 x 8 images: 60% train, 15% validation, 25% test, stratified.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Repository, 1998.
    """
    return make_splits("digits", digit_parts(), config.limit)


def digit_parts() -> tuple[Part, Part, Part]:
    """Train, validation and test: ink in [0, 1], [count, 1, 8, 8], and the digits from 0 to 9."""
    from sklearn.datasets import load_digits as load

    bunch = load()
    images = (bunch.images[:, None] / 16.0).astype(np.float32)
    labels = bunch.target
    train, validation, test = ((images[index], labels[index]) for index in stratified(labels, (0.15, 0.25), seed=0))
    return train, validation, test
