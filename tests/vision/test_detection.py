"""The detection task: average precision on cases worked by hand, held against pycocotools' rules."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from paredown.algorithms.detection import Detections, assign
from paredown.algorithms.objects import Objects, pack
from paredown.errors import ComponentMissing, ModelError
from paredown_vision.average_precision import Precision
from paredown_vision.config import DetectionConfig
from paredown_vision.detection import Detection

BOX, FAR = [4.0, 4.0, 14.0, 14.0], [18.0, 18.0, 30.0, 30.0]
TASK = Detection(DetectionConfig()).sized(32, 32)


def labelled(*images, crowd=False):
    """Images of (class, box) objects."""
    return pack([
        Objects(
            np.array([box for _, box in objects], np.float32).reshape(-1, 4),
            np.array([label for label, _ in objects], np.int64),
            np.full(len(objects), crowd),
        )
        for objects in images
    ])  # fmt: skip


def detected(*found):
    """One image's (class, box, score) detections."""
    boxes = np.array([box for _, box, _ in found], np.float64).reshape(-1, 4)
    classes = np.array([label for label, _, _ in found], np.int64)
    return Detections(boxes, classes, np.array([score for *_, score in found], np.float64))


def average_precision(found, labels):
    """Of boxes: over all thresholds, and at 0.5."""
    measured = Precision("detection")
    measured.add([(one, one.boxes) for one in found], labels)
    return measured.compute()


@pytest.mark.parametrize(
    ("found", "labels", "overall", "at_half"),
    [
        pytest.param([detected((1, BOX, 0.9))], labelled([(1, BOX)]), 1.0, 1.0, id="perfect"),
        pytest.param([detected((1, FAR, 0.9))], labelled([(1, BOX)]), 0.0, 0.0, id="another place"),
        pytest.param([detected((2, BOX, 0.9))], labelled([(1, BOX)]), 0.0, 0.0, id="another class"),
        pytest.param([detected()], labelled([(1, BOX)]), 0.0, 0.0, id="nothing detected"),
        pytest.param([detected((1, BOX, 0.9))], labelled([]), 0.0, 0.0, id="no object anywhere"),
        # Intersection over union 0.8: right at 0.50, 0.55, ... 0.80, seven of ten thresholds.
        pytest.param([detected((1, [4, 4, 14, 12], 0.9))], labelled([(1, BOX)]), 0.7, 1.0, id="a box that is too low"),
        # The first guess is wrong, the second right: precision 1/2 at every recall.
        pytest.param([detected((1, FAR, 0.9), (1, BOX, 0.8))], labelled([(1, BOX)]), 0.5, 0.5, id="a surer wrong one"),
        # A duplicate behind the right one costs nothing: all recall is reached before it.
        pytest.param([detected((1, BOX, 0.9), (1, BOX, 0.8))], labelled([(1, BOX)]), 1.0, 1.0, id="twice the same"),
        # One of two: recalls 0, 0.01, ... 0.50 of 101 are reached.
        pytest.param([detected((1, BOX, 0.9))], labelled([(1, BOX), (1, FAR)]), 51 / 101, 51 / 101, id="one of two"),
        # Equal scores keep the order of images: the wrong one of the first image comes first.
        pytest.param(
            [detected((1, FAR, 0.9)), detected((1, BOX, 0.9))],
            labelled([], [(1, BOX)]),
            0.5,
            0.5,
            id="a tie between images",
        ),
        pytest.param(
            [detected((0, BOX, 0.9)), detected()], labelled([(0, BOX)], [(1, BOX)]), 0.5, 0.5, id="the mean of classes"
        ),
    ],
)
def test_average_precision_by_hand(found, labels, overall, at_half):
    pytest.importorskip("pycocotools")
    assert average_precision(found, labels) == (pytest.approx(overall), pytest.approx(at_half))


def test_a_crowd_is_neither_to_be_found_nor_to_be_missed():
    pytest.importorskip("pycocotools")
    crowd = labelled([(1, FAR)], crowd=True)
    both = pack([Objects(np.array([BOX, FAR], np.float32), np.array([1, 1]), np.array([False, True]))])
    inside = detected((1, FAR, 0.95), (1, BOX, 0.9))
    assert average_precision([inside], both) == (pytest.approx(1.0), pytest.approx(1.0))
    assert average_precision([inside], crowd) == (0.0, 0.0)


def test_the_task_measures_what_the_network_returns():
    pytest.importorskip("pycocotools")
    labels = labelled([(1, BOX), (0, FAR)])
    targets = assign(labels, (32, 32))
    is_class = targets.classes[:, None] == np.arange(3)[:, None]
    outputs = (np.where(is_class, 9.0, -9.0), targets.distances, np.where(targets.classes >= 0, 5.0, -5.0))
    assert TASK.metrics(outputs, labels) == {"map": pytest.approx(1.0), "ap50": pytest.approx(1.0)}
    assert TASK.agreement(outputs, outputs) == 1.0
    blind = (np.full_like(outputs[0], -20.0), *outputs[1:])
    assert TASK.metrics(blind, labels) == {"map": 0.0, "ap50": 0.0}
    assert TASK.agreement(outputs, blind) == 0.0
    assert TASK.agreement(blind, blind) is None


def test_a_task_that_was_not_told_the_size_of_the_images_says_so():
    with pytest.raises(ModelError, match="size of the images"):
        Detection(DetectionConfig()).agreement((), ())


def test_without_pycocotools_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(ComponentMissing, match="pycocotools") as caught:
        average_precision([detected((1, BOX, 0.9))], labelled([(1, BOX)]))
    assert "paredown[vision]" in caught.value.problems[0].remedy
    assert caught.value.problems[0].value == "detection"
