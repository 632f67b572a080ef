"""Detectors of our own as they start, on scenes of digits: no term of their losses drowns the others."""

from __future__ import annotations

import pytest
import torch

from paredown.algorithms.losses import fcos_terms, mask_entropy
from paredown.contracts import RunContext
from paredown.engine.networks import Recipe, initialised
from paredown.engine.workbench import Workbench
from paredown.manager import Manager
from paredown.spec.loader import load_spec


@pytest.mark.parametrize(
    ("name", "task", "num_classes"),
    [
        ("fcos_mobilenet_v2_small", "detection", 10),
        ("fcos_mobilenet_v2_small", "detection", 80),
        ("fcos_mask_mobilenet_v2_small", "instance_segmentation", 10),
    ],
)
def test_each_term_of_the_loss_starts_near_one(name, task, num_classes, tmp_path):
    manager = Manager.discover()
    network = {"name": name, "in_channels": 1, "input_size": [64, 64]}
    data = {"kind": "digit_scenes", "target": task, "count": {"train": 8, "validation": 1, "test": 1}}
    spec = {
        "version": 1,
        "name": "start",
        "task": {"kind": task},
        "data": data,
        "model": {"kind": "zoo", "num_classes": num_classes} | network,
        "deploy": {"runtime": {"kind": "onnxruntime"}},
    }
    bench = Workbench(manager, "torch", load_spec(spec, manager.registry), RunContext(seed=0, base_dir=tmp_path))
    model, _ = initialised(bench, Recipe(bench.source, None))
    images, labels = bench.split("train")
    with torch.no_grad():  # with the statistics of the batch, as the first step of a training
        outputs = tuple(one.numpy() for one in model.train()(torch.from_numpy(images)))
    terms = fcos_terms(outputs[:3], labels, (64, 64))
    if task == "instance_segmentation":
        terms += (mask_entropy(*outputs[3:], labels, {"image_size": (64, 64)}),)
    assert max(terms) <= 1.5, terms
