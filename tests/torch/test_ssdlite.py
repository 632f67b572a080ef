"""torchvision's SSDLite as a network of tensors: torchvision's numbers, what it learns, its file, cuts and integers."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from agreement.networks import CARRIED_OUT, PRUNINGS, workbench
from scenes import scenes
from torchvision.models.detection import ssdlite320_mobilenet_v3_large
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou

from paredown.algorithms.detection import decode, default_boxes
from paredown.algorithms.objects import Objects, pack
from paredown.contracts import ModelSource
from paredown.deploy.files import to_bytes
from paredown.deploy.points import make_plan
from paredown.deploy.verify import require_equal_outputs, run_file
from paredown.deploy.writing.qdq import write_qdq
from paredown.engine import coupling, exporting, pruning, quantization
from paredown.engine.networks import Recipe, initialised
from paredown.manager import Manager
from paredown_torch.checkpoints import read
from paredown_torch.losses import detection
from paredown_torch.model import restore
from paredown_torch.zoo import ssdlite

NAME = "ssdlite320_mobilenet_v3_large"
SIZE = (64, 96)
CLASSES = 3

# torch.export marks its own use of pytree and of the exporter's registries as deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def whole():
    """torchvision's network."""
    torch.manual_seed(0)
    return ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=1 + CLASSES, score_thresh=0.3, nms_thresh=0.6
    ).eval()


@pytest.fixture(scope="module")
def answers(whole):
    """The heads' outputs for random features of two images, as torchvision gives them, and its default boxes."""
    torch.manual_seed(1)
    maps = [torch.randn(2, channels, 4, 6) for channels in (672, 480, 512, 256, 256, 128)]
    sizes = [(-(-SIZE[0] // stride), -(-SIZE[1] // stride)) for stride in (16, 32, 64, 128, 256, 512)]
    maps = [one[:, :, :rows, :columns] for one, (rows, columns) in zip(maps, sizes, strict=True)]
    with torch.no_grad():
        found = {name: values * 8 for name, values in whole.head(maps).items()}
    return found, whole.anchor_generator(ImageList(torch.zeros(2, 3, *SIZE), [SIZE] * 2), maps)


def plain(found):
    """torchvision's outputs as ours: the default boxes last."""
    return tuple(found[name].transpose(1, 2) for name in ("cls_logits", "bbox_regression"))


def test_the_default_boxes_are_torchvisions(answers):
    np.testing.assert_allclose(default_boxes(SIZE), answers[1][0].numpy(), atol=1e-4)


def test_a_file_of_torchvision_loads_by_name_and_the_network_answers_as_torchvisions_heads(whole, tmp_path):
    torch.save(whole.state_dict(), tmp_path / "torchvision.pth")
    model = ssdlite.build(ModelSource(NAME, CLASSES, 3, SIZE)).eval()
    restore(model, read(tmp_path / "torchvision.pth").arrays)
    images = torch.rand(2, 3, *SIZE)
    with torch.no_grad():
        expected = plain(whole.head(list(whole.backbone(images).values())))
        for own, other in zip(model(images), expected, strict=True):
            torch.testing.assert_close(own, other)


def test_what_is_detected_is_what_torchvision_detects(whole, answers):
    found, anchors = answers
    own = decode(tuple(one.numpy() for one in plain(found)), SIZE, least_score=0.3, overlap=0.6, most=300)
    for one, other in zip(own, whole.postprocess_detections(found, anchors, [SIZE] * 2), strict=True):
        assert len(one.scores) == len(other["scores"]) > 10
        np.testing.assert_allclose(one.scores, other["scores"].numpy(), atol=1e-5)
        np.testing.assert_array_equal(one.classes + 1, other["labels"].numpy())
        np.testing.assert_allclose(one.boxes, other["boxes"].numpy(), atol=1e-3)


def test_the_loss_is_torchvisions(whole, answers):
    found, anchors = answers
    boxes = [np.array([[10, 10, 30, 40], [50, 5, 90, 60]], np.float32), np.array([[0, 20, 60, 64]], np.float32)]
    classes = [np.array([0, 2]), np.array([1])]
    labels = pack([Objects(*one, np.zeros(len(one[0]), np.bool_)) for one in zip(boxes, classes, strict=True)])
    objects = [
        {"boxes": torch.from_numpy(one), "labels": torch.from_numpy(own + 1)}
        for one, own in zip(boxes, classes, strict=True)
    ]
    matched = [whole.proposal_matcher(box_iou(one["boxes"], own)) for one, own in zip(objects, anchors, strict=True)]
    expected = sum(whole.compute_loss(objects, found, anchors, matched).values())
    own = detection(plain(found), None, labels, {"image_size": SIZE})
    assert float(own) == pytest.approx(float(expected), rel=1e-5)


def test_it_finds_the_objects_of_scenes_that_it_was_trained_on(tmp_path):
    bench = scenes(NAME, "detection", tmp_path, size=64, count=4)
    model = initialised(bench, Recipe(bench.source, None)).model.train()
    images, labels = bench.split("train")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    for _ in range(30):
        optimizer.zero_grad()
        detection(model(torch.from_numpy(images)), None, labels, {"image_size": [64, 64]}).backward()
        optimizer.step()
    with torch.no_grad():  # with the statistics of the batch: the running ones take some hundred steps
        outputs = tuple(one.numpy() for one in model(torch.from_numpy(images)))
    assert bench.task.metrics(outputs, labels)["ap50"] >= 0.9


def test_its_file_answers_in_any_batch_and_cut_through_the_heads_and_in_integers_it_is_smaller(tmp_path):
    bench = workbench(Manager.discover(), "torch", NAME, (3, *SIZE))
    model = bench.build_lively()
    state, (images, _) = bench.state(model), bench.split("test")
    outputs = bench.manager.evaluate("torch", model, images)
    found = coupling.find(bench, tmp_path, state)
    file = tmp_path / exporting.BASELINE
    for count in (1, 16):
        require_equal_outputs(
            run_file(bench.runtime, file, images[:count]), tuple(one[:count] for one in outputs), file
        )

    assert set(found.left_whole.values()) == {"its outputs are the network's"}
    assert all(name.startswith("head.") for name in found.left_whole)
    step = bench.spec.steps[list(PRUNINGS).index(CARRIED_OUT)]
    cut = bench.cut(model, pruning.decide(bench, step, model, state, found).plan).model
    left = bench.state(cut)
    assert sum(map(np.size, left.values())) < 0.4 * sum(map(np.size, state.values()))
    for branch in ("classification", "regression"):
        place = f"head.{branch}_head.module_list.0.0.0.weight"
        assert len(left[place]) < len(state[place])
    assert [one.shape for one in bench.manager.evaluate("torch", cut, images)] == [one.shape for one in outputs]

    graph, step = onnx.load(file), bench.spec.steps[-1]
    plan = make_plan(graph, quantization.observe(bench, step, graph), step, bench.spec.deploy.target)
    integer = tmp_path / "int8.onnx"
    integer.write_bytes(to_bytes(write_qdq(graph, plan)))
    assert integer.stat().st_size < 0.35 * file.stat().st_size
    for own, other in zip(run_file(bench.runtime, integer, images), outputs, strict=True):
        assert np.corrcoef(own.ravel(), other.ravel())[0, 1] > 0.9
