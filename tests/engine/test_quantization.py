"""Quantization in whole runs, on both backends: corrections, layers left in float, and training with it."""

from __future__ import annotations

from importlib.util import find_spec

import onnx
import pytest
from helpers import DISTILL, small_spec

from paredown import files
from paredown.plan import DistillPlan, QuantPlan

ANY_LOSS = {"runtime": {"kind": "onnxruntime"}, "max_metric_drop": 1.0, "prefer": "size"}
OBSERVED = {"observer": {"kind": "moving_average"}}


@pytest.fixture(scope="module", params=["torch", "paddle"])
def run(request, tmp_path_factory, runners):
    """Runs steps on one backend; returns the directory and the result."""

    def perform(*steps, deploy=ANY_LOSS):
        spec = small_spec(steps=list(steps), deploy=deploy)
        directory, result, _ = runners[request.param].run(spec, tmp_path_factory.mktemp(request.param))
        return directory, result

    return perform


def test_a_training_under_a_teacher_at_four_bits_arrives_in_the_file(run):
    inner = {"kind": "quantize", "mode": "qat", "weights": {"bits": 4}, "activations": OBSERVED}
    directory, result = run(DISTILL | {"during": [inner]})
    fp32, int4 = result.candidates
    assert int4.precision == "int4"
    assert int4.weight_bytes < 0.2 * fp32.weight_bytes
    assert int4.agreement >= 0.995
    assert [one["range"] for one in result.steps[0].evidence["effective_bits"]["integers"]] == [[-7, 7]]
    plan = DistillPlan.model_validate(files.read_json(directory / result.steps[0].plan)).quantization
    assert plan is not None
    assert plan.mode == "qat"
    scales = {point.tensor.scale[0] for point in plan.points if point.port == "input" and point.owner == "layer"}
    written = onnx.load(directory / int4.file).graph.initializer
    stored = {float(onnx.numpy_helper.to_array(one)) for one in written if one.data_type == 1 and not one.dims}
    assert scales <= stored


@pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed (an extra)")
def test_ternary_weights_are_written_as_their_runtime_reads_them(run):
    step = {"kind": "quantize", "weights": {"bits": 2}, "activations": OBSERVED}
    directory, result = run(step, deploy=ANY_LOSS | {"runtime": {"kind": "openvino"}})
    stored = result.candidates[1]
    assert stored.agreement >= 0.99
    assert onnx.load(directory / stored.file).opset_import[0].version == 21


def test_corrections_arrive_in_the_file_and_in_the_simulation(run):
    corrections = [{"kind": "equalization"}, {"kind": "adaround", "iterations": 20}, {"kind": "bias_correction"}]
    step = {"kind": "quantize", "weights": {"bits": 4}, "activations": OBSERVED, "corrections": corrections}
    directory, result = run(step | {"analysis": True})
    record = result.steps[0]
    assert record.corrected is not None
    assert record.evidence["effective_bits"]["integers"] == [
        {"range": [-7, 7], "levels": 15, "bits": 3.91, "layers": 4}
    ]
    assert files.read_state(directory / record.corrected)
    assert set(record.evidence["corrections"]) <= {correction["kind"] for correction in corrections}
    assert {one["layer"] for one in record.evidence["analysis"]} == {"conv1", "conv2", "conv3", "fc"}
    assert result.candidates[1].agreement >= 0.99


def test_the_worst_layers_stay_in_float_until_the_metric_holds(run):
    step = {"kind": "quantize", "weights": {"bits": 2}, "activations": OBSERVED, "keep_best_effort": True}
    step |= {"corrections": [{"kind": "adaround", "iterations": 20}]}
    directory, result = run(step, deploy=ANY_LOSS | {"max_metric_drop": 0.1})
    effort = result.steps[0].evidence["best_effort"]
    assert [one["left"] for one in effort["tries"]] == sorted({one["left"] for one in effort["tries"]})
    plan = QuantPlan.model_validate(files.read_json(directory / result.steps[0].plan))
    assert set(effort["left"]) <= set(plan.left_float)
    if result.steps[0].corrected:
        corrected = files.read_state(directory / result.steps[0].corrected)
        assert not [name for name in corrected if name.rpartition(".")[0] in effort["left"]]
    if effort["reached"]:
        chosen = next(one for one in effort["tries"] if one["left"] == len(effort["left"]))
        assert chosen["top1"] >= effort["bound"]
    fewer = [one for one in effort["tries"] if one["left"] < len(effort["left"])]
    assert all(one["top1"] < effort["bound"] for one in fewer) or not effort["reached"]
