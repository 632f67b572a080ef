"""Detectors of our own on scenes of digits: no term of their losses drowns the others at the start, and they learn."""

from __future__ import annotations

import pytest
import torch
from scenes import scenes

from paredown.algorithms.losses import fcos_terms, mask_entropy
from paredown.engine.networks import Recipe, initialised, prepared


@pytest.mark.parametrize(
    ("name", "task", "num_classes"),
    [
        ("fcos_mobilenet_v2_small", "detection", 10),
        ("fcos_mobilenet_v2_small", "detection", 80),
        ("fcos_mask_mobilenet_v2_small", "instance_segmentation", 10),
    ],
)
def test_each_term_of_the_loss_starts_near_one(name, task, num_classes, tmp_path):
    bench = scenes(name, task, tmp_path, size=64, count=8, num_classes=num_classes)
    model = initialised(bench, Recipe(bench.source, None)).model
    images, labels = bench.split("train")
    with torch.no_grad():  # with the statistics of the batch, as the first step of a training
        outputs = tuple(one.numpy() for one in model.train()(torch.from_numpy(images)))
    terms = fcos_terms(outputs[:3], labels, (64, 64))
    if task == "instance_segmentation":
        terms += (mask_entropy(*outputs[3:], labels, {"image_size": (64, 64)}),)
    assert max(terms) <= 1.5, terms


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("fcos_mobilenet_v2_small", "detection"),
        ("fcos_mask_mobilenet_v2_small", "instance_segmentation"),
    ],
)
def test_a_detector_finds_the_objects_of_scenes_that_it_was_trained_on(name, task, tmp_path):
    bench = scenes(name, task, tmp_path, size=32, count=16)
    model, _ = prepared(bench, Recipe(bench.source, None, bench.spec.baseline))
    assert bench.metrics(model, "train")["ap50"] >= 0.9
