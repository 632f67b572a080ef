"""scikit-learn's handwritten digits."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from paredown.contracts import DataSplits, FloatArray, IntArray
from paredown_vision.config import DigitsConfig
from paredown_vision.splits import Part, make_splits, stratified


def load_digits(config: DigitsConfig, base_dir: Path) -> DataSplits:  # noqa: ARG001 - it reads no file of the user's
    """The digits as 1 x 8 x 8 images: 60% train, 15% validation, 25% test, stratified.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Repository, 1998.
    """
    return make_splits("digits", digit_parts(), config.limit)


def digit_parts() -> tuple[Part, Part, Part]:
    """Train, validation and test: ink in [0, 1], [count, 1, 8, 8], and the digits from 0 to 9."""
    images, labels = read_digits()
    train, validation, test = ((images[index], labels[index]) for index in stratified(labels, (0.15, 0.25), seed=0))
    return train, validation, test


def read_digits() -> tuple[FloatArray, IntArray]:
    """All 1797 images, [N, 1, 8, 8] from 0 to 1, and their labels, [N].

    scikit-learn's own reader imports SciPy, which takes longer than a small run's training; its file is read instead,
    where it lies where all releases so far have it.
    """
    package = importlib.util.find_spec("sklearn")
    file = Path(package.origin or "").parent / "datasets" / "data" / "digits.csv.gz" if package else None
    if file is not None and file.is_file():
        table = np.loadtxt(file, delimiter=",")
        pixels, labels = table[:, :-1], table[:, -1].astype(np.int64)
    else:
        from sklearn.datasets import load_digits as load

        pixels, labels = load(return_X_y=True)
    return (pixels.reshape(-1, 1, 8, 8) / 16.0).astype(np.float32), labels
