"""Quantization in whole runs, on both backends: corrections, layers left in float, and training with it."""

from __future__ import annotations

from importlib.util import find_spec
from types import SimpleNamespace

import onnx
import pytest
from helpers import DISTILL, small_spec

from paredown import files
from paredown.deploy.noise import LayerNoise
from paredown.engine import best_effort
from paredown.engine.qat import QuantizedTraining
from paredown.errors import NoEffectError
from paredown.plan import DistillPlan, QuantPlan
from paredown.spec.models import QuantizeStep

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


@pytest.fixture
def effort(monkeypatch):
    """`search` over eight layers, with files whose metric depends on how many of the worst are left in float.

    Returns the layers that it leaves, its evidence, and how often noise was measured.
    """
    layers = [f"layer{index}" for index in range(8)]
    noise = [LayerNoise(layer, 0.0, 0.0, float(index)) for index, layer in enumerate(layers)]
    bench = SimpleNamespace(
        task=SimpleNamespace(primary="top1"),
        build=lambda state: state,
        metrics=lambda model, split: {"top1": 0.9},
        spec=SimpleNamespace(deploy=SimpleNamespace(max_metric_drop=0.1)),
    )

    def perform(metric_of, in_float=0.9):
        monkeypatch.setattr(
            best_effort,
            "_measure",
            lambda bench, graph, left=None: (in_float if left is None else metric_of(len(left)), 1),
        )
        asked = []
        left, evidence = best_effort.search(
            bench, SimpleNamespace(baseline={}), None, dict, lambda: asked.append(1) or noise
        )
        return list(left), evidence, len(asked)

    return perform


@pytest.mark.parametrize("needed", range(9))
def test_as_many_of_the_worst_layers_stay_in_float_as_the_bound_needs(effort, needed):
    left, evidence, asked = effort(lambda count: 0.9 if count >= needed else 0.5)
    assert left == evidence["left"] == [f"layer{index}" for index in range(needed)]
    assert evidence["reached"]
    assert [one["left"] for one in evidence["tries"]] == sorted({one["left"] for one in evidence["tries"]})
    assert asked == (needed > 0)


def test_a_float_file_that_misses_the_bound_ends_the_search(effort):
    left, evidence, asked = effort(lambda count: 0.5 + count / 100, in_float=0.7)
    assert (left, evidence["left"], evidence["reached"], asked) == ([], [], False, 0)
    assert evidence["float"] == 0.7
    assert "the float file itself misses the bound" in evidence["reason"]
    assert [one["left"] for one in evidence["tries"]] == [0]


def test_pact_without_a_level_to_learn_has_no_effect():
    scales = SimpleNamespace(trained=dict)

    def training(pact):
        return QuantizedTraining(QuantizeStep(mode="qat", pact=pact), scales, {}, (), "steps[0].during[0]")

    keys = [("conv1", "weight", 0), ("conv2", "input", 0)]
    assert training(True).require_levels(keys) == 1
    assert training(False).require_levels(keys) == 0
    with pytest.raises(NoEffectError, match="nothing to learn") as caught:
        training(True).require_levels(keys[:1])
    assert caught.value.problems[0].where == "steps[0].during[0].pact"


def test_with_no_loss_allowed_binary_layers_stay_in_float_and_the_float_file_is_delivered(run):
    step = {"kind": "quantize", "weights": {"bits": 1}, "activations": OBSERVED, "keep_best_effort": True}
    step |= {"protect": [{"names": ["conv?"]}]}
    _, result = run(step, deploy=ANY_LOSS | {"max_metric_drop": 0.0})
    effort = result.steps[0].evidence["best_effort"]
    assert (effort["left"], effort["reached"]) == (["fc"], True)
    (only,) = result.candidates
    assert (only.file, only.delivered, only.sparsity) == ("onnx/fp32.onnx", True, 0.0)
    assert result.delivered == only.file


def test_the_worst_layers_stay_in_float_until_the_metric_holds(run):
    step = {"kind": "quantize", "weights": {"bits": 2}, "activations": OBSERVED, "keep_best_effort": True}
    step |= {"corrections": [{"kind": "adaround", "iterations": 20}]}
    directory, result = run(step, deploy=ANY_LOSS | {"max_metric_drop": 0.1})
    effort = result.steps[0].evidence["best_effort"]
    assert [one["left"] for one in effort["tries"]] == sorted({one["left"] for one in effort["tries"]})
    plan = QuantPlan.model_validate(files.read_json(directory / result.steps[0].plan))
    assert set(effort["left"]) <= set(plan.left_float)
    kept = result.steps[0].corrected
    corrected = files.read_state(directory / kept) if kept else {}
    assert not [name for name in corrected if name.rpartition(".")[0] in effort["left"]]
    assert effort["reached"]
    chosen = next(one for one in effort["tries"] if one["left"] == len(effort["left"]))
    assert chosen["top1"] >= effort["bound"]
    fewer = [one for one in effort["tries"] if one["left"] < len(effort["left"])]
    assert all(one["top1"] < effort["bound"] for one in fewer)
