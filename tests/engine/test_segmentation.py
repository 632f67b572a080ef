"""A run of segmentation from spec to result: pruned, distilled while it trains quantized, measured on the file.

Its training is so short that the network calls every pixel background: what is shown is that each part of a run takes
maps of classes and names them, not that anything is learned, and agreement is that of constant predictions.
"""

from __future__ import annotations

from typing import Any

import pytest
from helpers import PRUNE

from paredown.engine.run_files import read_pictures
from paredown.files import read_json

DISTILL: dict[str, Any] = {
    "kind": "distill",
    "losses": [
        {"kind": "kl", "temperature": 2.0},
        {"kind": "cwd", "weight": 0.5, "taps": [{"student": "decoder1"}]},
        {"kind": "hard_label"},
    ],
    "train": {"epochs": 1, "batch_size": 16, "optimizer": {"kind": "sgd", "lr": 0.05}},
    "during": [
        {
            "kind": "quantize",
            "mode": "qat",
            "activations": {"observer": {"kind": "minmax"}},
            "calibration": {"samples": 32},
        }
    ],
}
SPEC: dict[str, Any] = {
    "version": 1,
    "name": "segmentation",
    "task": {"kind": "semantic_segmentation"},
    "data": {
        "kind": "digit_scenes",
        "target": "semantic_segmentation",
        "size": 32,
        "objects": [1, 2],
        "count": {"train": 64, "validation": 32, "test": 32},
    },
    "model": {
        "kind": "zoo",
        "name": "unet",
        "num_classes": 11,
        "in_channels": 1,
        "input_size": [32, 32],
        "width": 0.5,
    },
    "baseline": {"epochs": 2, "batch_size": 16},
    "steps": [PRUNE | {"ratio": 0.25}, DISTILL],
    "deploy": {"runtime": {"kind": "onnxruntime"}, "prefer": "size", "max_metric_drop": 1.0},
    "run": {"threads": 1},
    "backends": ["torch"],
    "seeds": [0],
}


@pytest.fixture(scope="module", params=["torch", "paddle"])
def finished(request, tmp_path_factory, runners):
    """The directory and the result of one run."""
    return runners[request.param].run(SPEC, tmp_path_factory.mktemp(request.param))[:2]


def test_files_are_measured_by_the_metrics_of_the_task(finished):
    _, result = finished
    assert [one.precision for one in result.candidates] == ["fp32", "int8"]
    for one in (result.baseline, *result.candidates):
        assert set(one.metrics) == {"miou", "pixel_accuracy"}
        assert one.metrics["pixel_accuracy"] > 0.5  # what calling all of it background reaches


def test_the_fp32_file_predicts_what_the_network_predicts_and_int8_nearly(finished):
    _, result = finished
    fp32, int8 = result.candidates
    assert fp32.agreement >= 0.999
    assert int8.agreement >= 0.98
    assert int8.macs < 0.8 * result.baseline.macs
    assert int8.weight_bytes < 0.3 * fp32.weight_bytes


def test_the_plan_names_the_loss_of_the_task(finished):
    directory, result = finished
    plan = read_json(directory / "plan-1.json")
    assert [loss["kind"] for loss in plan["losses"]] == ["kl", "cwd", "pixel_cross_entropy"]
    assert result.steps[1].evidence["loss"]


def test_a_few_maps_are_kept_for_the_page(finished):
    pictures = read_pictures(*finished)
    assert (pictures.height, pictures.width, len(pictures.pictures)) == (32, 32, 6)
    assert pictures.classes[0] == 0
    for one in pictures.pictures:
        assert one.truth.class_map
        assert one.truth.class_map != one.baseline.class_map
        assert one.delivered.class_map
