"""The task of instance segmentation: average precision of masks on cases worked by hand."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from paredown.algorithms.detection import Detections, Instances, assign, prototype_size
from paredown.algorithms.objects import Objects, pack
from paredown.errors import ComponentMissing, ModelError
from paredown_vision.average_precision import Precision
from paredown_vision.config import InstanceSegmentationConfig
from paredown_vision.instance_segmentation import InstanceSegmentation

SIZE = (32, 32)
PART, FAR = (4, 4, 14, 14), (18, 18, 30, 30)
TASK = InstanceSegmentation(InstanceSegmentationConfig()).sized(*SIZE)


def mask_of(left, top, right, bottom):
    """A rectangle's pixels."""
    mask = np.zeros(SIZE, np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def labelled(*images, crowd=()):
    """Images of (class, rectangle) objects; those whose places `crowd` names are crowds. All boxes are the whole image:
    masks alone say where an object is."""
    return pack(
        [
            Objects(
                np.tile(np.float32([0, 0, 32, 32]), (len(objects), 1)),
                np.array([label for label, _ in objects], np.int64),
                np.isin(np.arange(len(objects)), crowd),
                np.array([mask_of(*place) for _, place in objects], np.uint8).reshape(-1, *SIZE),
            )
            for objects in images
        ],
        mask_size=SIZE,
    )


def found_in(*found):
    """One image's (class, rectangle, score) instances."""
    classes, scores = (np.array([one[place] for one in found]) for place in (0, 2))
    detections = Detections(np.zeros((len(found), 4)), classes.astype(np.int64), scores.astype(np.float64))
    return Instances(detections, np.array([mask_of(*one[1]) for one in found], np.bool_).reshape(-1, *SIZE))


def mask_average_precision(found, labels):
    """Of masks: over all thresholds, and at 0.5."""
    measured = Precision("instance_segmentation")
    measured.add([(one.detections, one.masks) for one in found], labels)
    return measured.compute()


@pytest.mark.parametrize(
    ("found", "labels", "overall", "at_half"),
    [
        pytest.param([found_in((1, PART, 0.9))], labelled([(1, PART)]), 1.0, 1.0, id="perfect"),
        pytest.param([found_in((1, FAR, 0.9))], labelled([(1, PART)]), 0.0, 0.0, id="all wrong"),
        pytest.param([found_in((2, PART, 0.9))], labelled([(1, PART)]), 0.0, 0.0, id="another class"),
        pytest.param([found_in()], labelled([(1, PART)]), 0.0, 0.0, id="nothing found"),
        pytest.param([found_in((1, PART, 0.9))], labelled([]), 0.0, 0.0, id="no object anywhere"),
        # 80 of 100 pixels: right at 0.50, 0.55, ... 0.80, seven of ten thresholds.
        pytest.param([found_in((1, (4, 4, 14, 12), 0.9))], labelled([(1, PART)]), 0.7, 1.0, id="too low"),
        pytest.param(
            [found_in((1, FAR, 0.9), (1, PART, 0.8))], labelled([(1, PART)]), 0.5, 0.5, id="a surer wrong one"
        ),
        # Equal scores keep the order of images: the wrong one of the first image comes first.
        pytest.param(
            [found_in((1, FAR, 0.9)), found_in((1, PART, 0.9))], labelled([], [(1, PART)]), 0.5, 0.5, id="a tie"
        ),
        # What lies in the crowd is neither right nor wrong.
        pytest.param(
            [found_in((1, FAR, 0.95), (1, PART, 0.9))],
            labelled([(1, PART), (1, FAR)], crowd=(1,)),
            1.0,
            1.0,
            id="an object and a crowd",
        ),
        pytest.param([found_in((1, FAR, 0.9))], labelled([(1, FAR)], crowd=(0,)), 0.0, 0.0, id="a crowd alone"),
    ],
)
def test_average_precision_of_masks_by_hand(found, labels, overall, at_half):
    pytest.importorskip("pycocotools")
    assert mask_average_precision(found, labels) == (pytest.approx(overall), pytest.approx(at_half))


def test_the_task_measures_what_the_network_returns():
    pytest.importorskip("pycocotools")
    labels = labelled([(1, PART)])
    labels["boxes"][0, 0] = PART
    targets = assign(labels, SIZE)
    is_class = targets.classes[:, None] == np.arange(3)[:, None]
    logits, centerness = np.where(is_class, 9.0, -9.0), np.where(targets.classes >= 0, 5.0, -5.0)
    cells = np.where(mask_of(*PART)[::2, ::2], 5.0, -5.0)[None, None]
    assert cells.shape[2:] == prototype_size(SIZE)
    outputs = (logits, targets.distances, centerness, np.ones((1, 1, 80)), cells)
    assert TASK.metrics(outputs, labels) == {"map": pytest.approx(1.0), "ap50": pytest.approx(1.0)}
    assert TASK.agreement(outputs, outputs) == 1.0
    found, true = TASK.drawings(outputs)[0].objects[-1], TASK.true_drawings(labels)[0].objects[0]
    assert (found.label, true.label, true.score) == (1, 1, None)
    assert found.score >= 0.3
    np.testing.assert_array_equal(found.mask, true.mask != 0)
    nowhere = (*outputs[:4], np.full_like(cells, -5.0))
    assert TASK.metrics(nowhere, labels) == {"map": 0.0, "ap50": 0.0}
    assert TASK.agreement(outputs, nowhere) == 0.0


def test_a_detector_without_masks_is_refused():
    with pytest.raises(ModelError, match="not those of a detector with masks"):
        TASK.agreement((np.zeros((1, 3, 80)), np.zeros((1, 4, 80)), np.zeros((1, 80))), ())
    with pytest.raises(ModelError, match="size of the images"):
        InstanceSegmentation(InstanceSegmentationConfig()).agreement((), ())


def test_without_pycocotools_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(ComponentMissing, match="pycocotools") as caught:
        mask_average_precision([found_in((1, PART, 0.9))], labelled([(1, PART)]))
    assert "paredown[vision]" in caught.value.problems[0].remedy
    assert caught.value.problems[0].value == "instance_segmentation"
