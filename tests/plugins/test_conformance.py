"""What we ship as components, through the public door."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from paredown.testing import CriterionConformance, DataConformance, ObserverConformance
from paredown_vision.digits import read_digits
from paredown_vision.fashion_mnist import DEBIAN_DIRECTORY


class TestL1(CriterionConformance):
    name = "l1"


class TestL2(CriterionConformance):
    name = "l2"


class TestMinMax(ObserverConformance):
    name = "minmax"


class TestDigits(DataConformance):
    name = "digits"


@pytest.mark.skipif(not DEBIAN_DIRECTORY.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
class TestFashionMnist(DataConformance):
    name = "fashion_mnist"
    options: ClassVar = {"limit": 2000}


_FEW: dict[str, int] = {"train": 30, "validation": 10, "test": 10}


class TestDigitScenesAsClassMaps(DataConformance):
    name = "digit_scenes"
    options: ClassVar = {"target": "semantic_segmentation", "count": _FEW}


class TestDigitScenesAsObjects(DataConformance):
    name = "digit_scenes"
    options: ClassVar = {"target": "instance_segmentation", "count": _FEW}


def test_the_digits_are_those_that_scikit_learn_reads():
    from sklearn.datasets import load_digits

    images, labels = read_digits()
    expected = load_digits()
    assert np.array_equal(images[:, 0], (expected.images / 16).astype(np.float32))
    assert np.array_equal(labels, expected.target)
