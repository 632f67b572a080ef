"""A run from spec to result: what is written, what the command says of it, and that it is not repeated."""

from __future__ import annotations

import json

import pytest
from helpers import DISTILL, PRUNE, QUANTIZE, paredown, small_spec, write_spec

from paredown.errors import ParedownError


@pytest.fixture(scope="module", params=["torch", "paddle"])
def finished(request, tmp_path_factory, runners):
    """One finished run of the small spec on each backend."""
    place = tmp_path_factory.mktemp(request.param)
    write_spec(place / "spec.yaml", small_spec())
    directory, result, _ = runners[request.param].run(small_spec(), place / "out")
    return request.param, directory, result


def test_every_file_that_the_result_names_is_there(finished):
    _, directory, result = finished
    named = [result.delivered, result.baseline_file, *(one.file for one in result.candidates)]
    named += [step.weights for step in result.steps] + [step.plan for step in result.steps if step.plan]
    assert [name for name in named if not (directory / name).is_file()] == []
    assert [step.plan for step in result.steps] == ["plan-0.json", "plan-1.json", "plan-2.json", "plan-3.json"]


def test_the_baseline_is_exported_once_for_its_groups_and_for_the_deployment(finished):
    _, directory, result = finished
    written = [(directory / name).stat().st_mtime_ns for name in (result.baseline_file, result.steps[0].weights)]
    assert written == sorted(written)


def test_pruning_shrinks_parameters_macs_and_the_file(finished):
    _, _, result = finished
    fp32 = next(one for one in result.candidates if one.precision == "fp32")
    assert fp32.params < 0.5 * result.baseline.params
    assert fp32.macs < 0.5 * result.baseline.macs
    assert fp32.bytes < 0.5 * result.baseline.bytes
    channels = result.steps[0].evidence["channels"]
    assert channels["after"] == channels["before"] // 2


def test_the_int8_file_holds_a_quarter_of_the_weight_bytes(finished):
    _, _, result = finished
    fp32, int8 = result.candidates
    assert int8.weight_bytes < 0.3 * fp32.weight_bytes
    assert int8.bytes < 0.45 * fp32.bytes
    assert int8.delivered
    assert result.final.bytes == int8.bytes


def test_the_int8_file_predicts_what_the_simulation_predicts(finished):
    _, _, result = finished
    int8 = result.candidates[1]
    assert int8.agreement >= 0.98
    assert int8.simulated is not None


def test_every_step_says_what_changed(finished):
    _, _, result = finished
    assert [step.kind for step in result.steps] == ["prune", "distill", "finetune", "quantize"]
    assert all(step.evidence["validation"].keys() == {"before", "after"} for step in result.steps)
    assert result.steps[1].evidence["loss"]
    assert result.steps[3].evidence["points"]["simulated"] > 0


def test_a_finished_run_is_not_repeated_and_the_table_names_the_delivered_file(finished):
    backend, directory, _ = finished
    before = (directory / "result.json").stat().st_mtime_ns
    spec = directory.parents[2] / "spec.yaml"
    done = paredown("run", spec, "--backend", backend, "--out", directory.parents[1])
    assert done.returncode == 0, done.stderr
    assert (directory / "result.json").stat().st_mtime_ns == before
    assert f"{backend}, seed 0" in done.stdout
    assert "> compressed int8" in done.stdout


def test_a_place_that_holds_another_run_is_refused(finished, tmp_path):
    backend, directory, _ = finished
    spec = write_spec(tmp_path / "other.yaml", small_spec(steps=[PRUNE | {"ratio": 0.25}]))
    done = paredown("run", spec, "--backend", backend, "--out", directory.parents[1])
    assert done.returncode == 2
    assert "another run" in done.stderr
    assert "--fresh" in done.stderr


def test_a_missed_bound_is_said_and_exits_with_one(runners, tmp_path):
    spec = small_spec(
        steps=[PRUNE | {"ratio": 0.9}], deploy={"runtime": {"kind": "onnxruntime"}, "max_metric_drop": 0.0}
    )
    _, result, _ = runners["torch"].run(spec, tmp_path / "out")
    assert "no candidate keeps top1" in result.missed[0]
    done = paredown("run", write_spec(tmp_path / "spec.yaml", spec), "--out", tmp_path / "out", "--json")
    assert done.returncode == 1, done.stderr
    assert tuple(json.loads(done.stdout)["runs"][0]["missed"]) == result.missed


def test_steps_work_on_the_previous_result_in_order(runners, tmp_path):
    steps = [PRUNE | {"ratio": 0.25}, DISTILL, PRUNE | {"ratio": 0.25, "scope": "local"}, QUANTIZE]
    spec = small_spec(steps=steps, deploy={"runtime": {"kind": "onnxruntime"}, "max_metric_drop": 1.0})
    _, result, _ = runners["torch"].run(spec, tmp_path)
    first, _, second, _ = (step.evidence for step in result.steps)
    assert second["channels"]["before"] == first["channels"]["after"]
    assert second["params"]["before"] == first["params"]["after"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"input_size": [32, 32]}, r"input_size: \[8, 8\]"), ({"num_classes": 5}, "num_classes: 10")],
)
def test_a_network_that_does_not_fit_the_data_is_refused_before_it_is_trained(runners, tmp_path, change, expected):
    with pytest.raises(ParedownError, match=expected):
        runners["torch"].run(small_spec(model=small_spec()["model"] | change), tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))
