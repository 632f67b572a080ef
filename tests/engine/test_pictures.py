"""What a run keeps for the report to draw, from outputs made by hand."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest

from paredown.algorithms.class_colours import class_colour
from paredown.algorithms.detection import assign
from paredown.algorithms.objects import Objects, pack
from paredown.algorithms.png import image_png, palette_png
from paredown.contracts import Drawing, DrawnObject
from paredown.engine.pictures import MOST, SIDE, shown_part, take_pictures, visible
from paredown.engine.run_files import PICTURES, read_pictures
from paredown.errors import ArtifactError, PluginError
from paredown.results import RunResult
from paredown_vision.classification import Classification
from paredown_vision.config import ClassificationConfig, DetectionConfig, SemanticSegmentationConfig
from paredown_vision.detection import Detection
from paredown_vision.drawing import draw_objects
from paredown_vision.semantic_segmentation import SemanticSegmentation

IMAGES = np.random.default_rng(0).normal(size=(2, 1, 32, 32)).astype(np.float32)
SMALL_MASK = DrawnObject((0, 0, 1, 1), 0, mask=np.ones((3, 3)))
BOX, FAR = [4.0, 4.0, 14.0, 14.0], [18.0, 18.0, 30.0, 30.0]


def opened(png: bytes | str):
    """A PNG, or one in base64, as Pillow reads it."""
    image = pytest.importorskip("PIL.Image")
    return image.open(io.BytesIO(base64.b64decode(png) if isinstance(png, str) else png))


def objects(*found, crowd=False, masks=None):
    """The record of one image from (class, box)."""
    boxes = np.array([box for _, box in found], np.float32).reshape(-1, 4)
    one = Objects(boxes, np.array([label for label, _ in found], np.int64), np.full(len(found), crowd), masks)
    return pack([one], mask_size=None if masks is None else masks.shape[1:])


class Drawer:
    """A task of somebody else's, which draws what it is told."""

    primary = "any"

    def __init__(self, *drawings: Drawing) -> None:
        self._drawings = drawings

    def drawings(self, outputs):
        return self._drawings

    true_drawings = drawings


def test_detections_and_objects_become_boxes_with_class_and_score():
    task = Detection(DetectionConfig()).sized(32, 32)
    labels = np.concatenate([objects((1, BOX)), objects((2, FAR), crowd=True)])
    targets = assign(labels, (32, 32))
    is_class = targets.classes[:, None] == np.arange(3)[:, None]
    sure = (np.where(is_class, 9.0, -9.0), targets.distances, np.where(targets.classes >= 0, 5.0, -5.0))
    blind = (np.full_like(sure[0], -20.0), *sure[1:])
    taken = take_pictures(task, IMAGES, labels, sure, blind)
    first, second = taken.pictures
    (known,), (found,) = first.truth.objects, first.baseline.objects
    assert (known.box, known.label, known.score, known.crowd) == (tuple(BOX), 1, None, False)
    assert found.label == 1
    assert found.box == pytest.approx(BOX, abs=0.01)
    assert 0.9 < found.score < 1
    assert first.delivered.objects == ()
    assert second.truth.objects[0].crowd
    assert second.baseline.objects == ()  # a crowd is not learned
    assert (taken.height, taken.width, taken.classes) == (32, 32, (1, 2))


def test_the_surest_detection_is_drawn_last():
    task = Detection(DetectionConfig()).sized(32, 32)
    labels = objects((0, BOX), (1, FAR))
    targets = assign(labels, (32, 32))
    is_class = targets.classes[:, None] == np.arange(2)[:, None]
    outputs = (np.where(is_class, [[[9.0], [2.0]]], -9.0), targets.distances, np.full(targets.classes.shape, 5.0))
    (drawn,) = task.drawings(outputs)
    scores = [one.score for one in drawn.objects]
    assert scores == sorted(scores)
    assert drawn.objects[-1].label == 0


def test_class_maps_are_pictures_in_the_colours_of_classes():
    task = SemanticSegmentation(SemanticSegmentationConfig())
    labels = np.zeros((1, 32, 32), np.int64)
    labels[0, 0, :3] = 1, 2, 255
    outputs = np.zeros((1, 3, 32, 32), np.float32)
    outputs[0, 1] = 1
    taken = take_pictures(task, IMAGES[:1], labels, outputs, outputs)
    (picture,) = taken.pictures
    colours = np.asarray(opened(picture.truth.class_map).convert("RGBA"))
    assert colours[0, :4].tolist() == [
        [*class_colour(1), 255],
        [*class_colour(2), 255],
        [0, 0, 0, 0],
        [*class_colour(0), 255],
    ]
    assert (np.asarray(opened(picture.delivered.class_map).convert("RGB")) == class_colour(1)).all()
    assert taken.classes == (0, 1, 2)


def test_masks_are_opaque_where_the_object_is():
    mask = np.zeros((1, 32, 32), np.uint8)
    mask[0, 4:14, 4:14] = 1
    drawing = draw_objects(objects((3, BOX), masks=mask)[0])
    taken = take_pictures(Drawer(drawing), IMAGES[:1], np.zeros(1), IMAGES, IMAGES)
    (shown,) = taken.pictures[0].truth.objects
    pixels = np.asarray(opened(shown.mask).convert("RGBA"))
    np.testing.assert_array_equal(pixels[..., 3], 255 * mask[0])
    assert tuple(pixels[5, 5, :3]) == class_colour(3)


def test_a_task_that_draws_nothing_has_no_pictures():
    task = Classification(ClassificationConfig())
    assert take_pictures(task, IMAGES, np.zeros(2, np.int64), np.zeros((2, 3)), np.zeros((2, 3))) is None


@pytest.mark.parametrize(
    "drawings",
    [
        pytest.param((Drawing(),), id="too few"),
        pytest.param((Drawing(class_map=np.zeros((3, 3), np.int64)), Drawing()), id="a map of another size"),
        pytest.param((Drawing((SMALL_MASK,)), Drawing()), id="a mask of another"),
    ],
)
def test_drawings_of_other_images_are_the_plugins_fault(drawings):
    with pytest.raises(PluginError, match="drawings are not those of the images"):
        take_pictures(Drawer(*drawings), IMAGES, np.zeros(2), IMAGES, IMAGES)


def test_large_images_are_shown_by_every_other_pixel_and_boxes_keep_their_place():
    images = np.zeros((1, 3, SIDE + 1, SIDE), np.float32)
    drawing = Drawing((DrawnObject((0, 0, SIDE, SIDE), 0),), np.zeros((SIDE + 1, SIDE), np.int64))
    taken = take_pictures(Drawer(drawing), images, np.zeros(1), images, images)
    (picture,) = taken.pictures
    assert (taken.height, taken.width) == (SIDE + 1, SIDE)
    assert picture.truth.objects[0].box == (0, 0, SIDE, SIDE)
    assert opened(picture.image).size == opened(picture.truth.class_map).size == (SIDE // 2, SIDE // 2 + 1)


def test_outputs_are_kept_for_the_images_that_are_shown_alone():
    many = np.arange(100.0).reshape(50, 2)
    logits, other = shown_part((many, many[:, :1]))
    np.testing.assert_array_equal(logits, many[:MOST])
    assert logits.base is None
    assert other.shape == (MOST, 1)


def test_images_are_stretched_channel_by_channel_over_all_of_them():
    images = np.zeros((2, 3, 1, 2), np.float32)
    images[:, 0, 0] = [[-1, 0], [0, 1]]
    images[:, 1, 0] = [[0, 10], [0, 0]]
    pixels = visible(images)
    assert pixels[..., 0].tolist() == [[[0, 128]], [[128, 255]]]
    assert pixels[..., 1].tolist() == [[[0, 255]], [[0, 0]]]
    assert not pixels[..., 2].any()  # a channel without contrast
    assert visible(images[:, :2]).shape == (2, 1, 2)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_a_png_holds_the_pixels_that_it_was_given(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(opened(image_png(pixels))), pixels)


def test_a_png_of_numbers_has_their_colours():
    found = np.asarray(
        opened(palette_png(np.array([[1, 0]], np.uint8), [(1, 2, 3, 0), (4, 5, 6, 255)])).convert("RGBA")
    )
    assert found.tolist() == [[[4, 5, 6, 255], [1, 2, 3, 0]]]


def test_classes_have_colours_of_their_own():
    assert len({class_colour(label) for label in range(80)}) == 80


def test_pictures_that_are_gone_or_damaged_are_said(tmp_path):
    without = RunResult.model_construct(pictures=None)
    assert read_pictures(tmp_path, without) is None
    named = RunResult.model_construct(pictures=PICTURES)
    with pytest.raises(ArtifactError, match="missing"):
        read_pictures(tmp_path, named)
    (tmp_path / PICTURES).write_text('{"version": 1}')
    with pytest.raises(ArtifactError, match="damaged"):
        read_pictures(tmp_path, named)
