"""Fashion-MNIST from its IDX files."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np

from paredown.contracts import Array, DataSplits
from paredown.errors import DataError
from paredown_vision.config import FashionMnistConfig
from paredown_vision.splits import make_splits

DEBIAN_DIRECTORY = Path("/usr/share/datasets/fashion-mnist")
_VALIDATION = 10_000
_REMEDY = "install Debian's `dataset-fashion-mnist`, or give `data.directory` the folder that holds the four IDX files"


def load_fashion_mnist(config: FashionMnistConfig, base_dir: Path) -> DataSplits:
    """Fashion-MNIST as 1 x 28 x 28 images: 50,000 train, 10,000 validation (a fixed draw), 10,000 test.

    Args:
        config: Where the files are, and how many images to keep.
        base_dir: Where a relative `directory` starts from.

    Raises:
        DataError: When a file is missing, cut short or is no IDX file.
    """
    directory = base_dir / config.directory if config.directory else DEBIAN_DIRECTORY
    train_images, train_labels = _read_pair(directory, "train")
    test = _read_pair(directory, "t10k")
    order = np.random.default_rng(0).permutation(len(train_labels))
    held_out = min(_VALIDATION, len(order) // 6)
    validation, train = order[:held_out], order[held_out:]
    splits = (
        (train_images[train], train_labels[train]),
        (train_images[validation], train_labels[validation]),
        test,
    )
    return make_splits("fashion_mnist", splits, config.limit)


def _read_pair(directory: Path, prefix: str) -> tuple[Array, Array]:
    images = _read_idx(_find(directory, f"{prefix}-images-idx3-ubyte"), dimensions=3)
    labels = _read_idx(_find(directory, f"{prefix}-labels-idx1-ubyte"), dimensions=1)
    if len(images) != len(labels):
        raise DataError(
            "images and labels differ in number",
            where=str(directory),
            value=f"{len(images)} images, {len(labels)} labels",
            remedy=_REMEDY,
        )
    return images[:, None].astype(np.float32) / np.float32(255), labels


def _find(directory: Path, name: str) -> Path:
    for candidate in (directory / name, directory / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise DataError("a file of the dataset is missing", where=str(directory / name), remedy=_REMEDY)


def _read_idx(path: Path, dimensions: int) -> Array:
    """Reads an IDX file: two zero bytes, the type (8, bytes), the number of axes, their lengths, the values."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise DataError(
            "a file of the dataset cannot be read", where=str(path), value=str(error), remedy=_REMEDY
        ) from error
    header = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(data[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(dimensions))
    if data[:4] != bytes((0, 0, 8, dimensions)) or len(data) != header + math.prod(shape):
        raise DataError(
            "this is no whole IDX file of unsigned bytes",
            where=str(path),
            value=f"{len(data)} bytes that start with {data[:4].hex()}",
            expected=f"a header 000008{dimensions:02x} and {math.prod(shape)} values",
            remedy=_REMEDY,
        )
    return np.frombuffer(data, dtype=np.uint8, offset=header).reshape(shape)
