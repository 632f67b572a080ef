"""Specs whose data cannot be what the spec says: one problem, before anything is read."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import FINETUNE, PRUNE, small_spec

from paredown.engine.given import require_own_augmentation
from paredown.errors import Problem, SpecError, UnsupportedError
from paredown.manager import Manager
from paredown.spec.loader import load_spec


def problem_of(**changes: Any) -> Problem:
    with pytest.raises(SpecError) as caught:
        load_spec(small_spec(**changes), Manager.discover().registry)
    assert len(caught.value.problems) == 1, str(caught.value)
    return caught.value.problems[0]


def test_labels_for_another_task_are_refused() -> None:
    problem = problem_of(data={"kind": "digit_scenes", "target": "detection"})
    assert problem.where is not None
    assert "task.kind" in problem.where
    assert problem.what == "the labels of `digit_scenes` are not for the task `classification`"
    assert problem.expected == "`detection`"


def test_the_remedy_for_another_tasks_labels_is_one_that_works() -> None:
    masks = {"kind": "digit_scenes", "target": "instance_segmentation"}
    network = {"kind": "zoo", "name": "fcos_mobilenet_v2_small", "num_classes": 10, "in_channels": 1}
    detector = {"task": {"kind": "detection"}, "model": network | {"input_size": [64, 64]}, "steps": [FINETUNE]}
    remedy = problem_of(data=masks, **detector).remedy
    ways = "write `target: detection` under `data`, or write the task `instance_segmentation`, or choose other data"
    assert remedy == ways
    assert problem_of(data=masks).remedy == "write the task `instance_segmentation`, or choose other data"
    boxes = masks | {"target": "detection"}
    load_spec(small_spec(data=boxes, **detector), Manager.discover().registry)
    assert problem_of(data=boxes).remedy == "write the task `detection`, or choose other data"


def test_the_fewest_digits_are_not_more_than_the_most() -> None:
    problem = problem_of(
        data={"kind": "digit_scenes", "target": "detection", "objects": [3, 2]}, task={"kind": "classification"}
    )
    assert problem.what == "the fewest are more than the most"
    assert problem.where is not None
    assert "data.objects" in problem.where


def training(**changes: Any) -> dict[str, Any]:
    return {"epochs": 2, "batch_size": 32, "optimizer": {"kind": "sgd", "lr": 0.05}} | changes


FLIP = {"flip": "horizontal"}


def test_augmentation_that_changes_nothing_is_refused() -> None:
    assert problem_of(baseline=training(augment={})).what == "`augment` changes nothing"


def test_a_margin_as_wide_as_the_image_is_refused() -> None:
    problem = problem_of(baseline=training(augment={"crop": {"padding": 8}}))
    assert problem.expected == "less than 8, the shorter side of `model.input_size`"
    assert "baseline.augment.crop.padding" in str(problem.where)


def test_soft_labels_of_images_that_change_are_refused() -> None:
    step = {"kind": "distill", "losses": [{"kind": "kl"}], "soft_labels": "cache", "train": training(augment=FLIP)}
    problem = problem_of(steps=[PRUNE, step])
    assert "`soft_labels: cache` does not go with `augment`" in problem.what
    assert "steps[1].soft_labels" in str(problem.where)


def test_the_trainings_of_teachers_and_recoveries_are_checked_too() -> None:
    teacher = {"kind": "zoo", "name": "resnet20", "train": training(augment={})}
    step = {"kind": "distill", "teacher": teacher, "losses": [{"kind": "kl"}], "train": training()}
    assert "steps[0].teacher.train.augment" in str(problem_of(steps=[step]).where)
    rounds = PRUNE | {"rounds": 2, "recover": training(augment={})}
    assert "steps[0].recover.augment" in str(problem_of(steps=[rounds]).where)


def test_compress_leaves_augmentation_to_the_loader() -> None:
    spec = small_spec(steps=[{"kind": "finetune", "train": training(augment=FLIP)}])
    with pytest.raises(UnsupportedError) as caught:
        require_own_augmentation(load_spec(spec, Manager.discover().registry))
    assert caught.value.problems[0].where == "steps[0].train.augment"
