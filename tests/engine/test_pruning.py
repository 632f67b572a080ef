"""Pruning in whole runs: targets, rounds, masks that last, and orders of steps, on both backends."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from helpers import DISTILL, FINETUNE, PRUNE, QUANTIZE, small_spec
from onnx import numpy_helper

from paredown import files
from paredown.algorithms import masks
from paredown.errors import ParedownError
from paredown.plan import DistillPlan, MaskPlan, PrunePlan

ANY_LOSS = {"runtime": {"kind": "onnxruntime"}, "max_metric_drop": 1.0, "prefer": "size"}
MOMENTUM = {"kind": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}
WEIGHTS = {"kind": "prune", "granularity": "weight", "criterion": {"kind": "l1"}, "ratio": 0.8}
LAST = "weights.safetensors"


@pytest.fixture(scope="module", params=["torch", "paddle"])
def run(request, tmp_path_factory, runners):
    """Runs steps on one backend; returns the directory and the result."""

    def perform(*steps, **changes):
        spec = small_spec(steps=list(steps), deploy=ANY_LOSS, **changes)
        directory, result, _ = runners[request.param].run(spec, tmp_path_factory.mktemp(request.param))
        return directory, result

    return perform


def masks_of(plan: MaskPlan):
    return {mask.parameter: masks.unpack(mask) for mask in plan.masks}


def zeros_hold(directory, file, found):
    state = files.read_state(directory / file)
    return all(not np.any(state[name][~mask]) for name, mask in found.items())


def test_a_target_in_macs_with_round_widths_and_prune_recover_prune_again(run):
    target = {key: value for key, value in PRUNE.items() if key != "ratio"} | {"keep": {"macs": 0.5}, "round_to": 4}
    directory, result = run(target, FINETUNE, PRUNE | {"ratio": 0.25, "scope": "local"})
    first, _, second = result.steps
    macs = first.evidence["macs"]
    assert macs["after"] / macs["before"] == pytest.approx(0.5, rel=0.02) or "finest_cut" in first.evidence
    assert first.evidence["reached"]["macs"] == pytest.approx(macs["after"] / macs["before"])
    assert second.evidence["channels"]["before"] == first.evidence["channels"]["after"]
    for cut in PrunePlan.model_validate(files.read_json(directory / first.plan)).cuts:
        assert (cut.group.size - len(cut.remove)) % 4 == 0


def test_rounds_remove_a_part_each_recover_hold_masks_and_replay_as_one_plan(run):
    step = PRUNE | {"scope": "local", "rounds": 2, "recover": DISTILL["train"]}
    directory, result = run(WEIGHTS, step)
    evidence = result.steps[1].evidence
    assert len(evidence["rounds"]) == 2
    assert evidence["rounds"][0]["reached"]["macs"] > evidence["rounds"][1]["reached"]["macs"]
    assert evidence["channels"]["after"] == evidence["channels"]["before"] // 2
    plan = PrunePlan.model_validate(files.read_json(directory / "plan-1.json"))
    assert all(len(cut.remove) == cut.group.size // 2 for cut in plan.cuts)
    masked = masks_of(MaskPlan.model_validate(files.read_json(directory / "plan-0.json")))
    assert zeros_hold(directory, LAST, masks.cut(masked, plan))


def test_pruned_weights_stay_zero_through_training_channel_cuts_quantization_and_in_the_file(run):
    training = DISTILL["train"] | {"optimizer": MOMENTUM}
    directory, result = run(
        WEIGHTS, FINETUNE | {"train": training}, DISTILL | {"train": training}, PRUNE, FINETUNE, QUANTIZE
    )
    plan = MaskPlan.model_validate(files.read_json(directory / "plan-0.json"))
    found = masks_of(plan)
    kept = sum(int(mask.sum()) for mask in found.values()) / sum(mask.size for mask in found.values())
    assert kept == pytest.approx(0.2, abs=1e-3)
    for step in result.steps[:3]:
        assert zeros_hold(directory, step.weights, found)
    cut = masks.cut(found, PrunePlan.model_validate(files.read_json(directory / "plan-3.json")))
    for step in result.steps[3:]:
        assert zeros_hold(directory, step.weights, cut)
    graph = onnx.load(directory / "onnx/fp32.onnx").graph
    deployed = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for name, mask in cut.items():
        assert not np.any(deployed[name][~mask])
    assert not [name for name in files.read_state(directory / LAST) if "mask" in name]


def test_of_four_consecutive_input_channels_two_stay(run):
    two_four = {"kind": "prune", "granularity": "n_m", "n": 2, "m": 4, "criterion": {"kind": "l1"}}
    directory, result = run(two_four, FINETUNE)
    plan = MaskPlan.model_validate(files.read_json(directory / "plan-0.json"))
    state = files.read_state(directory / LAST)
    assert plan.masks
    for mask in plan.masks:
        weight = np.moveaxis(state[mask.parameter], 1, -1)
        assert (np.count_nonzero(weight.reshape(-1, 4), axis=1) <= 2).all()
    assert "conv1" in result.steps[0].evidence["left_whole"]  # one input channel: no four to choose from
    assert result.candidates[0].sparsity > 0.3
    assert result.candidates[0].compressed_bytes < 0.8 * result.candidates[0].bytes


def test_gradual_pruning_under_a_teacher_ends_at_its_ratio_and_stays(run):
    inner = WEIGHTS | {"ratio": 0.7, "schedule": {"kind": "cubic", "every": 2}}
    distill = DISTILL | {"during": [inner], "train": DISTILL["train"] | {"epochs": 3, "batch_size": 32}}
    directory, result = run(distill, FINETUNE)
    plan = DistillPlan.model_validate(files.read_json(directory / "plan-0.json"))
    found = masks_of(plan.masks)
    removed = 1 - sum(int(mask.sum()) for mask in found.values()) / sum(mask.size for mask in found.values())
    assert removed == pytest.approx(0.7, abs=1e-3)
    assert result.steps[0].evidence["sparsity"]["after"] == pytest.approx(0.7, abs=1e-3)
    assert zeros_hold(directory, result.steps[0].weights, found)
    assert zeros_hold(directory, result.steps[1].weights, found)


def test_slimming_shrinks_the_scales_that_its_criterion_then_reads(run):
    training = DISTILL["train"] | {"epochs": 2}
    plain_directory, _ = run(FINETUNE | {"train": training})
    directory, result = run(
        FINETUNE | {"train": training | {"bn_l1": 0.01}}, PRUNE | {"criterion": {"kind": "bn_scale"}}
    )
    scales = [
        np.abs(files.read_state(place / "weights-0.safetensors")["bn2.weight"]).mean()
        for place in (directory, plain_directory)
    ]
    assert scales[0] < scales[1]
    assert result.steps[1].evidence["channels"]["after"] < result.steps[1].evidence["channels"]["before"]


def test_overrides_and_protected_layers_have_their_own_share(run):
    step = PRUNE | {
        "scope": "local",
        "protect": [{"names": ["conv1"]}],
        "overrides": [{"select": {"names": ["re:conv[3]"]}, "ratio": 0.25}],
    }
    directory, result = run(step)
    plan = PrunePlan.model_validate(files.read_json(directory / "plan-0.json"))
    removed = {cut.group.name: len(cut.remove) / cut.group.size for cut in plan.cuts}
    assert removed == {"conv2.weight": 0.5, "conv3.weight": 0.25}
    assert result.steps[0].evidence["left_whole"]["conv1"] == "protected by the spec"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (PRUNE | {"protect": [{"names": ["conv9"]}]}, "picks no layer"),
        (PRUNE | {"overrides": [{"select": {"types": ["depthwise"]}, "ratio": 0.5}]}, "picks no layer"),
        (PRUNE | {"protect": [{"types": ["conv", "linear"]}]}, "can be cut"),
        ({"kind": "prune", "criterion": {"kind": "l1"}, "keep": {"macs": 0.0001}}, "at the furthest"),
        ({"kind": "prune", "granularity": "n_m", "n": 2, "m": 7, "criterion": {"kind": "l1"}}, "fits no layer"),
    ],
)
def test_what_cannot_be_done_is_one_clear_error_and_no_result(runners, tmp_path, step, expected):
    with pytest.raises(ParedownError, match=expected):
        runners["torch"].run(small_spec(steps=[step]), tmp_path)
    assert not list(tmp_path.rglob("result.json"))
