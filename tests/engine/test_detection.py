"""Runs of detection and of instance segmentation from spec to result, from baselines that torch trains for both.

Training is so short that hardly an object is found: what is shown is that each part of a run takes boxes and masks
and names them, and that both backends start from the same bytes. Masks run on Paddle, from what torch trained; that
both backends decide and export alike with masks stands in `tests/agreement/test_detector.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
from helpers import PRUNE

from paredown.engine.run_files import read_pictures
from paredown.files import read_json

SIZE = 32
WEIGHTS = "weights-baseline.safetensors"
TRAIN = {"epochs": 1, "batch_size": 16, "optimizer": {"kind": "adamw", "lr": 0.002}}
DISTILL: dict[str, Any] = {
    "kind": "distill",
    "losses": [
        {"kind": "hard_label"},
        {"kind": "mse", "weight": 0.1},
        {"kind": "cwd", "taps": [{"student": "smooth8"}]},
    ],
    "train": TRAIN,
}
QUANTIZE = {"kind": "quantize", "activations": {"observer": {"kind": "minmax"}}, "calibration": {"samples": 16}}
NETWORKS = {"detection": "fcos_mobilenet_v2_small", "instance_segmentation": "fcos_mask_mobilenet_v2_small"}
LOSSES = {"detection": "detection", "instance_segmentation": "fcos_mask"}
CASES = [("detection", "torch"), ("detection", "paddle"), ("instance_segmentation", "paddle")]


def spec_of(task: str) -> dict[str, Any]:
    return {
        "version": 1,
        "name": task.replace("_", "-"),
        "task": {"kind": task},
        "data": {
            "kind": "digit_scenes",
            "target": task,
            "size": SIZE,
            "objects": [1, 2],
            "count": {"train": 32, "validation": 8, "test": 8},
        },
        "model": {
            "kind": "zoo",
            "name": NETWORKS[task],
            "num_classes": 10,
            "in_channels": 1,
            "input_size": [SIZE, SIZE],
        },
        "baseline": TRAIN | {"train_on": "torch"},
        "steps": [PRUNE | {"ratio": 0.25}, DISTILL, QUANTIZE],
        "deploy": {"runtime": {"kind": "onnxruntime"}, "prefer": "size", "max_metric_drop": 1.0},
        "run": {"threads": 1},
    }


@pytest.fixture(scope="module")
def finished(runners, tmp_path_factory):
    """By task and backend, the directory, the result and the notes of one run."""
    place = tmp_path_factory.mktemp("detectors")
    # Paddle first: what torch trains for it is then not in the cache yet.
    return {(task, name): runners[name].run(spec_of(task), place / task) for task, name in reversed(CASES)}


@pytest.mark.parametrize("case", CASES)
def test_files_are_measured_by_average_precision(finished, case):
    _, result, _ = finished[case]
    assert [one.precision for one in result.candidates] == ["fp32", "int8"]
    for one in (result.baseline, *result.candidates):
        assert set(one.metrics) == {"map", "ap50"}


@pytest.mark.parametrize("case", CASES)
def test_the_cut_network_is_smaller_and_its_file_finds_what_it_finds(finished, case):
    _, result, _ = finished[case]
    fp32, int8 = result.candidates
    assert fp32.metrics == pytest.approx(fp32.framework, abs=1e-3)
    assert int8.framework is None
    assert fp32.agreement is None or fp32.agreement >= 0.999  # test_detecting has detectors that detect
    assert int8.macs < 0.9 * result.baseline.macs
    assert int8.weight_bytes < 0.4 * fp32.weight_bytes


@pytest.mark.parametrize("case", CASES)
def test_the_plan_names_the_loss_of_the_task(finished, case):
    directory, result, _ = finished[case]
    kinds = [loss["kind"] for loss in read_json(directory / "plan-1.json")["losses"]]
    assert kinds == [LOSSES[case[0]], "mse", "cwd"]
    assert result.steps[1].evidence["loss"]


def test_boxes_are_kept_for_the_page(finished):
    directory, result, _ = finished["detection", "torch"]
    pictures = read_pictures(directory, result)
    assert (pictures.height, pictures.width) == (SIZE, SIZE)
    assert all(one.truth.objects for one in pictures.pictures)


def test_both_backends_start_from_the_same_bytes_report_the_same_baseline_and_cut_alike(finished):
    (paddle, one, notes), (torch, other, known) = (finished["detection", backend] for backend in ("paddle", "torch"))
    assert (paddle / WEIGHTS).read_bytes() == (torch / WEIGHTS).read_bytes()
    assert one.baseline.metrics == pytest.approx(other.baseline.metrics, abs=1e-3)
    assert read_json(paddle / "plan-0.json")["cuts"] == read_json(torch / "plan-0.json")["cuts"]
    assert {run.provenance.trained_on for run in (one, other)} == {"torch"}
    assert {"torch", "paddlepaddle"} <= one.provenance.versions.keys()
    assert "baseline: trained on torch, as for every backend of this spec" in one.notes
    assert "baseline: trained before, taken from the cache" not in notes
    assert "baseline: trained before, taken from the cache" in known


def test_a_baseline_with_masks_is_trained_elsewhere_too(finished):
    _, result, _ = finished["instance_segmentation", "paddle"]
    assert result.provenance.trained_on == "torch"
    assert "baseline: trained on torch, as for every backend of this spec" in result.notes
