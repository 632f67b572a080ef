"""Runs of detectors that are sure of many objects, from weights that nobody trained (tests/detecting.py)."""

from __future__ import annotations

import pytest
from detecting import SET, WEIGHTS

SIZE = 32
NETWORKS = {"detection": "fcos_mobilenet_v2_small", "instance_segmentation": "fcos_mask_mobilenet_v2_small"}
CASES = {"detection": "torch", "instance_segmentation": "paddle"}
"""One task on each backend: what torch labelled, Paddle finds."""


def spec_of(task, data, **model):
    network = {"name": NETWORKS[task], "num_classes": 10, "in_channels": 1, "input_size": [SIZE, SIZE]}
    return {
        "version": 1,
        "name": task.replace("_", "-"),
        "task": {"kind": task},
        "data": data,
        "model": {"kind": "zoo"} | network | model,
        "baseline": {"epochs": 0 if model else 1},
        "steps": [],
        "deploy": {"runtime": {"kind": "onnxruntime"}, "prefer": "size", "max_metric_drop": 1.0},
        "run": {"threads": 1},
    }


@pytest.fixture(scope="module")
def finished(processes, runners, tmp_path_factory):
    """By task one run, from the weights and the labels that torch made."""
    results = {}
    for task, backend in CASES.items():
        place = tmp_path_factory.mktemp(task)
        count = {"train": 16, "validation": 8, "test": 24}
        scenes = {"kind": "digit_scenes", "target": task, "size": SIZE, "count": count}
        assert processes["torch"].ask("detecting", spec_of(task, scenes), str(place)) > 100
        labelled = {"kind": "npz", "path": str(place / SET), "num_classes": 10}
        spec = spec_of(task, labelled, weights=str(place / WEIGHTS))
        results[task] = runners[backend].run(spec, place)[1]
    return results


@pytest.mark.parametrize("task", CASES)
def test_a_float_file_has_the_metrics_of_its_network(finished, task):
    result = finished[task]
    for one in (result.baseline, *result.candidates):
        assert 0.3 < one.framework["map"] < 0.99
        assert one.metrics == pytest.approx(one.framework, abs=1e-3)
    assert not [note for note in result.notes if "in the framework" in note]


@pytest.mark.parametrize("task", CASES)
def test_a_float_file_detects_what_its_network_detects(finished, task):
    (fp32,) = finished[task].candidates
    assert fp32.agreement >= 0.999
