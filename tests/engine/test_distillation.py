"""Distillation in whole runs, on both backends: every kind of teacher, other students, every way."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from helpers import DISTILL, FINETUNE, PRUNE, small_spec

from paredown import files
from paredown.errors import ModelError, ParedownError, UnsupportedError
from paredown.plan import DistillPlan

ANY_LOSS = {"runtime": {"kind": "onnxruntime"}, "max_metric_drop": 1.0, "prefer": "size"}
OTHER = {"torch": "paddle", "paddle": "torch"}
ZOO = {"kind": "zoo", "name": "resnet20", "train": {"epochs": 1, "batch_size": 32}}
STUDENT = {"kind": "zoo", "name": "resnet20", "num_classes": 10, "in_channels": 1, "input_size": [8, 8]}
TAPS = [{"student": "relu1", "teacher": "layer1"}, {"student": "relu2", "teacher": "layer2"}]
FEATURES = [
    {"kind": "feature_l2", "taps": TAPS, "schedule": {"kind": "linear", "start": 1.0, "end": 0.0}},
    {"kind": "hard_label"},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory, runners):
    """Runs steps on one backend, each set once; returns the directory, the result and the notes."""
    done = {}

    def perform(backend, *steps):
        key = json.dumps([backend, steps])
        if key not in done:
            spec = small_spec(steps=list(steps), deploy=ANY_LOSS)
            done[key] = runners[backend].run(spec, tmp_path_factory.mktemp(backend))
        return done[key]

    return perform


@pytest.fixture(params=["torch", "paddle"])
def backend(request):
    return request.param


def plan_of(directory, result, index):
    return DistillPlan.model_validate(files.read_json(directory / result.steps[index].plan))


CHAIN = (
    DISTILL | {"student": STUDENT},
    PRUNE,
    DISTILL | {"way": "online"},
    DISTILL | {"way": "self", "average": 0.9},
)


def test_a_zoo_teacher_with_features_is_trained_once_for_all_its_students(run, backend):
    directory, result, _ = run(backend, PRUNE, DISTILL | {"teacher": ZOO, "losses": FEATURES})
    plan = plan_of(directory, result, 1)
    assert plan.teacher == "zoo resnet20"
    assert [tap.teacher for tap in plan.losses[0].taps] == ["layer1", "layer2"]
    assert plan.losses[0].schedule.end == 0.0
    _, _, notes = run(backend, DISTILL | {"teacher": ZOO})
    assert "teacher resnet20: trained before, taken from the cache" in notes


def test_another_student_is_pruned_taught_online_and_by_its_own_average(run, backend):
    directory, result, _ = run(backend, *CHAIN)
    first, pruned, online, itself = result.steps
    assert first.evidence["student"] == "resnet20"
    assert first.evidence["params"]["after"] > first.evidence["params"]["before"]
    assert pruned.evidence["params"]["before"] == first.evidence["params"]["after"]
    assert len(online.evidence["peer_loss"]) == len(online.evidence["loss"]) == 1
    assert [plan_of(directory, result, index).way for index in (0, 2, 3)] == ["offline", "online", "self"]
    assert itself.evidence["loss"][0] > 0
    state = files.read_state(directory / "weights.safetensors")
    assert "layer3.2.conv2.weight" in state
    assert result.final.params == pruned.evidence["params"]["after"]


def test_a_run_that_goes_on_behind_another_student_ends_with_the_same_bytes(run, runners, tmp_path):
    directory, _, _ = run("torch", *CHAIN)
    copied = tmp_path / "torch" / "seed-0"
    shutil.copytree(directory, copied)
    journal = files.read_json(copied / "journal.json")
    files.write_json(copied / "journal.json", journal | {"steps": journal["steps"][:1]})
    (copied / "result.json").unlink()
    runners["torch"].run(small_spec(steps=list(CHAIN), deploy=ANY_LOSS), tmp_path)
    for name in ("plan-1.json", "weights.safetensors"):
        assert (copied / name).read_bytes() == (directory / name).read_bytes()


def test_finished_runs_files_and_networks_of_the_other_framework_teach_together(run, backend):
    other, _, _ = run(OTHER[backend], *CHAIN)
    file = next((other / "onnx").glob("fp32.onnx"))
    members = [
        {"kind": "baseline"},
        {"kind": "artifact", "path": str(other)},
        {"kind": "onnx", "path": str(file)},
    ]
    step = DISTILL | {"teacher": {"kind": "ensemble", "members": members}, "soft_labels": "cache"}
    directory, result, _ = run(backend, PRUNE, step)
    plan = plan_of(directory, result, 1)
    assert plan.teacher == f"mean of baseline, artifact {other}, onnx fp32.onnx"
    assert result.steps[1].evidence["loss"][0] > 0


def test_a_file_and_its_finished_run_teach_the_same(run):
    other, _, _ = run("torch", *CHAIN)
    soft = DISTILL | {"losses": [{"kind": "kl"}]}
    kinds = ({"kind": "artifact", "path": str(other)}, {"kind": "onnx", "path": str(other / "onnx" / "fp32.onnx")})
    runs = [run("paddle", soft | {"teacher": teacher}) for teacher in kinds]
    states = [files.read_state(directory / "weights.safetensors") for directory, _, _ in runs]
    for name, values in states[0].items():
        np.testing.assert_allclose(states[1][name], values, rtol=0, atol=1e-3 * np.abs(values).max())


def test_masks_and_quantization_go_with_features_in_one_training(run, backend):
    grown = {
        "kind": "prune",
        "granularity": "weight",
        "criterion": {"kind": "l1"},
        "ratio": 0.5,
        "schedule": {"kind": "cubic", "every": 4},
    }
    trained = {"kind": "quantize", "mode": "qat", "activations": {"observer": {"kind": "moving_average"}}}
    losses = [{"kind": "attention", "taps": [{"student": "relu2"}]}, {"kind": "kl"}, {"kind": "hard_label"}]
    directory, result, _ = run(backend, DISTILL | {"losses": losses, "during": [grown, trained]})
    evidence = result.steps[0].evidence
    assert evidence["sparsity"]["after"] == pytest.approx(0.5, abs=0.01)
    assert [one.precision for one in result.candidates] == ["fp32", "int8"]
    assert result.candidates[1].agreement >= 0.95
    assert plan_of(directory, result, 0).quantization is not None


def test_layers_of_the_student_may_teach_it(run):
    losses = [{"kind": "attention", "taps": [{"student": "relu1", "teacher": "relu2"}]}, {"kind": "hard_label"}]
    _, result, _ = run("torch", DISTILL | {"way": "self", "average": None, "losses": losses})
    assert result.steps[0].evidence["loss"][0] > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"losses": [{"kind": "attention", "taps": [{"student": "relu22"}]}, {"kind": "hard_label"}]},
         "did you mean `relu2`"),
        ({"teacher": {"kind": "onnx", "path": "nowhere.onnx"}}, "the teacher's file is missing"),
    ],
    ids=["tap", "file"],
)  # fmt: skip
def test_what_cannot_teach_is_refused_before_the_baseline_is_trained(runners, tmp_path, change, words):
    with pytest.raises(ParedownError, match=words):
        runners["torch"].run(small_spec(steps=[DISTILL | change]), tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_mixed_precision_is_for_every_training_but_those_with_fake_quantization(runners, tmp_path):
    trained = {"kind": "quantize", "mode": "qat", "activations": {"observer": {"kind": "moving_average"}}}
    steps = [DISTILL, DISTILL | {"during": [trained]}]
    spec = small_spec(steps=steps, deploy=ANY_LOSS, run={"threads": 1, "device": "cpu", "amp": True})
    _, result, _ = runners["torch"].run(spec, tmp_path)
    assert [step.evidence.get("precision") for step in result.steps] == ["bfloat16", None]
    with pytest.raises(UnsupportedError, match="mixed precision on gpu alone"):
        runners["paddle"].run(spec, tmp_path)
    with pytest.raises(UnsupportedError, match="no mixed precision on a CPU"):
        runners["paddle"].run(spec | {"run": {"amp": True}}, tmp_path)


def test_what_cannot_be_compared_after_a_cut_is_refused_before_the_trainings_that_follow(runners, tmp_path):
    flows = {"kind": "fsp", "taps": [{"student": "relu1"}, {"student": "relu2"}]}
    spec = small_spec(steps=[PRUNE, FINETUNE, DISTILL | {"losses": [flows, {"kind": "hard_label"}]}], deploy=ANY_LOSS)
    with pytest.raises(ModelError, match=r"steps\[2\]\.losses\[0\]"):
        runners["torch"].run(spec, tmp_path)
    assert len(files.read_json(tmp_path / "torch" / "seed-0" / "journal.json")["steps"]) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "The uncompressed baseline teaches."),
        ({"teacher": ZOO | {"width": 0.5}}, "The network `resnet20` at width 0.5 teaches"),
        ({"student": STUDENT | {"width": 0.5}}, "The student is `resnet20` at width 0.5"),
        ({"teacher": ZOO}, "The network `resnet20` teaches. `resnet20` is trained for 1 epoch once"),
        ({"teacher": {"kind": "ensemble", "members": [{"kind": "baseline"}, {"kind": "onnx", "path": "t.onnx"}]}},
         "The mean of the outputs of the uncompressed baseline and the file t.onnx teaches."),
        ({"soft_labels": "cache"}, "It runs once over the training images"),
        ({"student": STUDENT}, "The student is `resnet20`"),
        ({"way": "online"}, "A second student"),
        ({"way": "self"}, "0.999 of it kept"),
        ({"losses": [*FEATURES, {"kind": "kl"}], "teacher": ZOO}, "2 pairs of layers are compared"),
    ],
    ids=str,
)  # fmt: skip
def test_explain_says_who_teaches(change, words):
    from paredown.explain import explain_spec
    from paredown.manager import Manager
    from paredown.spec.loader import load_spec

    manager = Manager.discover()
    spec = load_spec(small_spec(steps=[DISTILL | change]), manager.registry)
    explained = explain_spec(manager, spec, ("torch", "paddle"))
    assert words in explained.stages[1].what
    assert [backend.problems for backend in explained.backends] == [(), ()]
