"""What we ship as components, through the public door."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from paredown.algorithms.objects import Objects, pack
from paredown.testing import CriterionConformance, DataConformance, ObserverConformance, TaskConformance
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


class TestClassification(TaskConformance):
    name = "classification"


class TestMultiLabelClassification(TaskConformance):
    name = "multi_label_classification"

    @pytest.fixture
    def labels(self):
        return np.random.default_rng(1).integers(0, 2, (12, 5))


class TestSemanticSegmentation(TaskConformance):
    name = "semantic_segmentation"

    @pytest.fixture
    def outputs(self):
        return np.random.default_rng(0).standard_normal((12, 5, 4, 3)).astype(np.float32)

    @pytest.fixture
    def labels(self):
        return np.where(np.arange(144) % 7, np.arange(144) % 5, 255).reshape(12, 4, 3)


class TestDetection(TaskConformance):
    name = "detection"

    @pytest.fixture
    def outputs(self):
        random = np.random.default_rng(0)
        logits, centerness = random.normal(0, 3, (12, 5, 80)), random.normal(0, 3, (12, 80))
        return tuple(one.astype(np.float32) for one in (logits, random.uniform(0, 9, (12, 4, 80)), centerness))

    @pytest.fixture
    def labels(self):
        corners = np.array([[2, 3, 14, 15], [10, 8, 30, 32]], np.float32)
        return pack([Objects(corners, np.array([image % 5, 3]), np.zeros(2, np.bool_)) for image in range(12)])

    @pytest.fixture(autouse=True)
    def _measured(self):
        pytest.importorskip("pycocotools")


class TestInstanceSegmentation(TaskConformance):
    name = "instance_segmentation"

    @pytest.fixture
    def outputs(self):
        random = np.random.default_rng(0)
        logits, centerness = random.normal(0, 3, (12, 5, 80)), random.normal(0, 3, (12, 80))
        coefficients, prototypes = random.uniform(-1, 1, (12, 4, 80)), random.normal(0, 1, (12, 4, 16, 16))
        found = (logits, random.uniform(0, 9, (12, 4, 80)), centerness, coefficients, prototypes)
        return tuple(one.astype(np.float32) for one in found)

    @pytest.fixture
    def labels(self):
        corners, masks = np.array([[2, 3, 14, 15], [10, 8, 30, 32]], np.float32), np.zeros((2, 32, 32), np.uint8)
        masks[0, 3:15, 2:14] = masks[1, 8:32, 10:30] = 1
        none = np.zeros(2, np.bool_)
        return pack([Objects(corners, np.array([image % 5, 3]), none, masks) for image in range(12)], None, (32, 32))

    @pytest.fixture(autouse=True)
    def _measured(self):
        pytest.importorskip("pycocotools")


def test_the_digits_are_those_that_scikit_learn_reads():
    from sklearn.datasets import load_digits

    images, labels = read_digits()
    expected = load_digits()
    assert np.array_equal(images[:, 0], (expected.images / 16).astype(np.float32))
    assert np.array_equal(labels, expected.target)
