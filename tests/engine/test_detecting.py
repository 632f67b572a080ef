"""Runs of detectors that are sure of many objects, from weights that nobody trained (tests/detecting.py)."""

from __future__ import annotations

import pytest
from detecting import SET, WEIGHTS

SIZE = 32
NETWORKS = {"detection": "fcos_mobilenet_v2_small", "instance_segmentation": "fcos_mask_mobilenet_v2_small"}
CASES = [(task, backend) for task in NETWORKS for backend in ("torch", "paddle")]


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
    """By task and backend one run; both begin with the weights and the labels that torch made."""
    results = {}
    for task in NETWORKS:
        place = tmp_path_factory.mktemp(task)
        count = {"train": 16, "validation": 8, "test": 24}
        scenes = {"kind": "digit_scenes", "target": task, "size": SIZE, "count": count}
        assert processes["torch"].ask("detecting", spec_of(task, scenes), str(place)) > 100
        labelled = {"kind": "npz", "path": str(place / SET), "num_classes": 10}
        for name in ("torch", "paddle"):
            spec = spec_of(task, labelled, weights=str(place / WEIGHTS))
            results[task, name] = runners[name].run(spec, place)[1]
    return results


@pytest.mark.parametrize("case", CASES)
def test_a_float_file_has_the_metrics_of_its_network(finished, case):
    result = finished[case]
    for one in (result.baseline, *result.candidates):
        assert 0.1 < one.framework["map"] < 0.99
        assert one.metrics == pytest.approx(one.framework, abs=1e-3)
    assert not [note for note in result.notes if "in the framework" in note]


@pytest.mark.parametrize("case", CASES)
def test_a_float_file_detects_what_its_network_detects(finished, case):
    (fp32,) = finished[case].candidates
    assert fp32.agreement >= 0.999


@pytest.mark.parametrize("task", NETWORKS)
def test_both_frameworks_have_the_same_metrics_from_the_same_weights(finished, task):
    one, other = (finished[task, name].baseline for name in ("torch", "paddle"))
    assert one.framework == pytest.approx(other.framework, abs=1e-3)
