"""Fashion-MNIST from IDX files that a test writes."""

from __future__ import annotations

import gzip

import numpy as np

from paredown_vision.config import FashionMnistConfig
from paredown_vision.fashion_mnist import load_fashion_mnist


def idx(values):
    """The bytes of an IDX file."""
    lengths = b"".join(length.to_bytes(4, "big") for length in values.shape)
    return bytes((0, 0, 8, values.ndim)) + lengths + values.tobytes()


def test_labels_are_int64_whatever_the_files_hold(tmp_path):
    for prefix, count in (("train", 60), ("t10k", 20)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        pixels = np.repeat(labels, 28 * 28).reshape(count, 28, 28)
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx(pixels))
        (tmp_path / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    splits = load_fashion_mnist(FashionMnistConfig(directory="."), tmp_path)
    for (images, labels), count in ((splits.train, 50), (splits.validation, 10), (splits.test, 20)):
        assert (images.shape, images.dtype) == ((count, 1, 28, 28), np.float32)
        assert (labels.shape, labels.dtype) == ((count,), np.int64)
        assert (np.argsort(images[:, 0, 0, 0], kind="stable") == np.argsort(labels, kind="stable")).all()
    assert splits.num_classes == 10
