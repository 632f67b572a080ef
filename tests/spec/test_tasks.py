"""Tasks that do not go with the networks or the losses of a spec: one problem, before anything is built."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import DISTILL, PRUNE, small_spec

from paredown.engine import preflight
from paredown.errors import SpecError
from paredown.explain import explain_spec
from paredown.manager import Manager
from paredown.spec.loader import load_spec

UNET = {"kind": "zoo", "name": "unet", "num_classes": 11, "in_channels": 1, "input_size": [32, 32]}
SEGMENTED: dict[str, Any] = {
    "task": {"kind": "semantic_segmentation"},
    "data": {"kind": "digit_scenes", "target": "semantic_segmentation", "size": 32},
    "model": UNET,
}
DETECTED: dict[str, Any] = {
    "task": {"kind": "detection"},
    "data": {"kind": "digit_scenes", "target": "detection"},
    "model": UNET | {"name": "fcos_mobilenet_v2_small", "num_classes": 10, "input_size": [64, 64]},
}
SEGMENTED_OBJECTS = DETECTED | {
    "task": {"kind": "instance_segmentation"},
    "data": {"kind": "digit_scenes", "target": "instance_segmentation"},
}


@pytest.fixture(scope="module")
def manager():
    return Manager.discover()


def distilled(*losses, **changes):
    return {"steps": [PRUNE, DISTILL | {"losses": list(losses)} | changes]}


@pytest.mark.parametrize(
    ("changes", "where", "what"),
    [
        (SEGMENTED | {"model": UNET | {"name": "cnn"}}, "model.name", "`cnn` is not for the task `semantic_seg"),
        (
            SEGMENTED | {"model": UNET | {"kind": "timm", "name": "resnet10t"}, "backends": ["torch"]},
            "model.kind",
            "networks of timm are not for the task `semantic_segmentation`",
        ),
        ({"model": UNET | {"input_size": [8, 8]}}, "model.name", "`unet` is not for the task `classification`"),
        (
            SEGMENTED | distilled({"kind": "kl"}, teacher={"kind": "zoo", "name": "resnet18", "train": {"epochs": 1}}),
            "steps[1].teacher.name",
            "`resnet18` is not for the task",
        ),
        (SEGMENTED | {"model": UNET | {"weights": "pretrained"}}, "model.weights", "nobody publishes weights"),
        (SEGMENTED | distilled({"kind": "dkd"}), "steps[1].losses[0]", "`dkd` cannot compare the outputs"),
        (
            SEGMENTED | distilled({"kind": "kl"}, {"kind": "binary_cross_entropy"}),
            "steps[1].losses[1]",
            "reads the labels of another task",
        ),
        (
            {"task": {"kind": "multi_label_classification"}, "data": {"kind": "fashion_mnist"}}
            | distilled({"kind": "kl"}),
            "steps[1].losses[0]",
            "`kl` cannot compare the outputs",
        ),
        (SEGMENTED_OBJECTS, "model.name", "`fcos_mobilenet_v2_small` is not for the task `instance_segmentation`"),
        (DETECTED | distilled({"kind": "kl"}), "steps[1].losses[0]", "`kl` cannot compare the outputs"),
        (
            SEGMENTED | distilled({"kind": "box_imitation", "taps": [{"student": "decoder1"}]}),
            "steps[1].losses[0]",
            "cannot read those of the task `semantic_segmentation`",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_go_with_the_task_is_refused_by_name(manager, changes, where, what):
    with pytest.raises(SpecError) as caught:
        load_spec(small_spec(**changes), manager.registry)
    problems = [problem for problem in caught.value.problems if what in problem.what]
    assert len(problems) == 1, str(caught.value)
    assert problems[0].where.endswith(where)
    assert problems[0].remedy


def test_labels_alone_teach_nothing_whatever_the_loss_is_called(manager):
    with pytest.raises(SpecError, match="no loss reads the teacher"):
        load_spec(small_spec(**SEGMENTED, **distilled({"kind": "pixel_cross_entropy"})), manager.registry)


def test_what_a_spec_calls_hard_label_is_the_loss_of_the_task(manager):
    spec = load_spec(small_spec(**SEGMENTED, **distilled({"kind": "kl"}, {"kind": "hard_label"})), manager.registry)
    assert preflight.losses(manager, spec, "torch") == ("pixel_cross_entropy", "kl")
    stages = {stage.name: stage.losses for stage in explain_spec(manager, spec, ["torch"]).stages}
    assert stages["baseline"] == ("pixel_cross_entropy",)
    assert stages["distill"] == ("kl", "pixel_cross_entropy")


@pytest.mark.parametrize(
    ("name", "task", "instead"),
    [
        ("ssd300_vgg16", DETECTED, "fcos_mobilenet_v2_small"),
        ("fasterrcnn_resnet50_fpn", DETECTED, "fcos_mobilenet_v2_small"),
        ("maskrcnn_resnet50_fpn", SEGMENTED_OBJECTS, "fcos_mask_mobilenet_v2_small"),
    ],
)
@pytest.mark.parametrize("backends", [["torch"], ["torch", "paddle"]], ids=len)
def test_detectors_of_torchvision_are_refused_by_name_with_the_reason_and_the_twin(
    manager, name, task, instead, backends
):
    with pytest.raises(SpecError) as caught:
        load_spec(small_spec(**task | {"model": task["model"] | {"name": name}}, backends=backends), manager.registry)
    (problem,) = [problem for problem in caught.value.problems if problem.where.endswith("model.name")]
    assert problem.value == f'"{name}"'
    assert "list of dictionaries" in problem.what
    assert f"`{instead}`" in problem.remedy
    assert instead in manager.registry.backends["torch"].models
