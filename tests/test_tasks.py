"""The tasks of vision: metrics by their published definitions, on cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.errors import DataError
from paredown_vision.classification import Classification
from paredown_vision.config import (
    ClassificationConfig,
    MultiLabelClassificationConfig,
    SemanticSegmentationConfig,
)
from paredown_vision.multi_label_classification import MultiLabelClassification
from paredown_vision.semantic_segmentation import SemanticSegmentation, confusion_matrix

SEGMENTATION = SemanticSegmentation(SemanticSegmentationConfig())


def logits(predicted, classes: int = 3) -> np.ndarray:
    """Logits [1, classes, 1, pixels] whose greatest is the given class's."""
    return np.moveaxis(np.eye(classes, dtype=np.float32)[np.array([[predicted]])], -1, 1)


@pytest.mark.parametrize(
    ("true", "predicted", "miou", "accuracy"),
    [
        pytest.param([0, 1, 2, 1], [0, 1, 2, 1], 1.0, 1.0, id="all right"),
        pytest.param([0, 1, 2, 1], [1, 2, 0, 0], 0.0, 0.0, id="nothing right"),
        # class 0: 1 of {0, 1} pixels; class 1: 1 of {1, 2, 3}; class 2: 0 of {2, 3} is 1 right of 2
        pytest.param([0, 0, 1, 1], [0, 1, 1, 1], (1 / 2 + 2 / 3) / 2, 3 / 4, id="a class that nobody has or says"),
        pytest.param([0, 0, 1, 1], [0, 0, 2, 1], (1 + 1 / 2 + 0) / 3, 3 / 4, id="a class that is only predicted"),
        pytest.param([0, 0, 2, 2], [0, 0, 0, 0], (1 / 2 + 0) / 2, 1 / 2, id="a class that is never found"),
        pytest.param([0, 1, 255, 255], [0, 0, 2, 1], (1 / 2 + 0) / 2, 1 / 2, id="pixels that do not count"),
        pytest.param([255, 255, 255, 255], [0, 0, 2, 1], 0.0, 0.0, id="no pixel counts"),
    ],
)
def test_mean_intersection_over_union_by_hand(true, predicted, miou, accuracy):
    found = SEGMENTATION.metrics(logits(predicted), np.array([[true]]))
    assert found == {"miou": pytest.approx(miou), "pixel_accuracy": pytest.approx(accuracy)}


def test_the_lower_class_wins_a_tie_between_logits():
    labels = np.zeros((1, 1, 4), np.int64)
    assert SEGMENTATION.metrics(np.zeros((1, 3, 1, 4), np.float32), labels)["pixel_accuracy"] == 1


def test_the_confusion_matrix_is_scikit_learns_over_many_images():
    from sklearn.metrics import confusion_matrix as theirs
    from sklearn.metrics import jaccard_score

    random = np.random.default_rng(0)
    outputs = random.normal(size=(37, 4, 5, 6)).astype(np.float32)
    labels = np.where(random.random((37, 5, 6)) < 0.2, 255, random.integers(0, 4, (37, 5, 6)))
    counts = labels != 255
    true, predicted = labels[counts], outputs.argmax(axis=1)[counts]
    np.testing.assert_array_equal(confusion_matrix(outputs, labels), theirs(true, predicted, labels=range(4)))
    expected = jaccard_score(true, predicted, average="macro")
    assert SEGMENTATION.metrics(outputs, labels)["miou"] == pytest.approx(expected)


def test_masks_that_do_not_fit_the_network_are_refused():
    with pytest.raises(DataError, match="one class a pixel"):
        SEGMENTATION.metrics(logits([0, 1]), np.zeros((1, 1, 3), np.int64))
    with pytest.raises(DataError, match="classes that the network does not have"):
        SEGMENTATION.metrics(logits([0, 1]), np.array([[[0, 3]]]))


def test_networks_agree_on_the_share_of_pixels_that_they_see_alike():
    assert SEGMENTATION.agreement(logits([0, 1, 2, 2]), logits([0, 1, 1, 2])) == 3 / 4


def test_top_five_asks_for_more_than_five_classes():
    task = Classification(ClassificationConfig())
    outputs = np.array([[6.0, 5, 4, 3, 2, 1], [1, 1, 1, 1, 1, 1], [1, 2, 3, 4, 5, 6]])
    assert task.metrics(outputs, np.array([0, 4, 0])) == {"top1": pytest.approx(1 / 3), "top5": pytest.approx(2 / 3)}
    assert task.metrics(outputs[:, :5], np.array([0, 0, 0])) == {"top1": pytest.approx(2 / 3)}


def test_a_label_without_a_number_is_never_right():
    outputs = np.full((1, 6), np.nan)
    assert Classification(ClassificationConfig()).metrics(outputs, np.array([5])) == {"top1": 0.0, "top5": 0.0}


def test_mean_average_precision_by_hand():
    task = MultiLabelClassification(MultiLabelClassificationConfig())
    # class 0, best first: right, wrong, right -> (1 + 2/3) / 2; class 1: wrong, right, wrong -> 1/2; no class 2
    outputs = np.array([[3.0, 2, 9], [2, 3, 9], [1, 1, 9]])
    labels = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0]])
    assert task.metrics(outputs, labels) == {"map": pytest.approx((5 / 6 + 1 / 2) / 2)}
    assert task.metrics(outputs, np.zeros_like(labels)) == {"map": 0.0}
    assert task.agreement(outputs, np.where(outputs == 9, -outputs, outputs)) == pytest.approx(2 / 3)
