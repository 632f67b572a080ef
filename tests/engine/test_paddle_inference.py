"""Deploying to Paddle Inference: directories of Paddle's own, and integers by PaddleSlim's quantizer."""

from __future__ import annotations

import pytest
from helpers import paredown, small_spec, write_spec

from paredown.results import RunResult

QUANTIZE = {"kind": "quantize", "activations": {"observer": {"kind": "minmax"}}}
DEPLOY = {"runtime": {"kind": "paddle_inference", "algorithm": "abs_max"}, "max_metric_drop": 1.0, "prefer": "size"}


@pytest.fixture(scope="module")
def run(tmp_path_factory, runners):
    spec = small_spec(steps=[QUANTIZE], deploy=DEPLOY, backends=["paddle"])
    return runners["paddle"].run(spec, tmp_path_factory.mktemp("inference"))[0]


def test_every_candidate_is_a_directory_that_the_runtime_reads(run):
    result = RunResult.model_validate_json((run / "result.json").read_text())
    assert result.baseline_file == "paddle/baseline-fp32"
    fp32, int8 = result.candidates
    assert [fp32.file, int8.file] == ["paddle/fp32", "paddle/int8"]
    assert int8.bytes == sum(path.stat().st_size for path in (run / int8.file).iterdir())
    assert int8.weight_bytes < 0.4 * fp32.weight_bytes
    assert fp32.agreement == 1.0
    assert int8.agreement > 0.9


def test_the_step_says_who_quantizes(run):
    result = RunResult.model_validate_json((run / "result.json").read_text())
    assert result.steps[0].plan is None
    assert result.steps[0].evidence["quantized_by"] == "paddle_inference"
    assert "deploy.target" in result.steps[0].evidence["not_used"]
    assert any("does not keep `deploy.target: portable`" in note for note in result.notes)


def test_it_has_no_onnx_file_to_copy(run, tmp_path):
    done = paredown("export", run, "--format", "onnx", "--out", tmp_path / "x.onnx")
    assert done.returncode != 0
    assert "--format paddle" in done.stderr
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.parametrize(
    ("steps", "backend", "told"),
    [
        ([QUANTIZE | {"weights": {"bits": 4}}], "paddle", "leave out weights"),
        ([QUANTIZE | {"analysis": True}], "paddle", "leave out analysis"),
        ([QUANTIZE], "torch", "reads `paddle`"),
    ],
)
def test_what_the_runtime_cannot_do_is_refused_before_anything_is_trained(steps, backend, told, tmp_path):
    spec = write_spec(tmp_path / "spec.yaml", small_spec(steps=steps, deploy=DEPLOY, backends=[backend]))
    done = paredown("run", spec, "--backend", backend, "--out", tmp_path / "out")
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / backend / "seed-0" / "journal.json").exists()
