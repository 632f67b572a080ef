"""Who may teach, who may learn, and what goes together in a distillation."""

from __future__ import annotations

from typing import Any

import pytest

from paredown.errors import SpecError
from paredown.registry import Registry
from paredown.spec.loader import load_spec
from paredown.spec.models import DistillStep
from paredown.spec.teachers import BaselineTeacher, EnsembleTeacher

TRAIN = {"epochs": 3, "optimizer": {"kind": "sgd", "lr": 0.01}}
BOTH = [{"kind": "kl"}, {"kind": "hard_label"}]
FEATURES = {"kind": "attention", "taps": [{"student": "layer1"}]}
OWN = {"kind": "attention", "taps": [{"student": "layer1", "teacher": "layer3"}]}
SCHEDULED = {"kind": "linear", "start": 1.0, "end": 0.0}
ZOO = {"kind": "zoo", "name": "resnet18", "train": {"epochs": 2}}
STUDENT = {"kind": "zoo", "name": "cnn", "num_classes": 10, "in_channels": 1, "input_size": [8, 8]}
PRUNE = {"kind": "prune", "criterion": {"kind": "l2"}, "ratio": 0.5}


def distilling(quickstart: dict[str, Any], *before: dict[str, Any], **settings: Any) -> dict[str, Any]:
    step = {"kind": "distill", "losses": BOTH, "train": TRAIN, **settings}
    quickstart["model"] |= {"num_classes": 10, "in_channels": 1, "input_size": [8, 8]}
    return quickstart | {"steps": [*before, step]}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"teacher": {"kind": "baseline"}},
        {"teacher": ZOO},
        {"teacher": {"kind": "zoo", "name": "resnet18", "weights": "pretrained"}},
        {"teacher": {"kind": "zoo", "name": "resnet18", "weights": "a.safetensors", "num_classes": 10}},
        {"teacher": {"kind": "artifact", "path": "../out/torch/seed-0"}},
        {"teacher": {"kind": "onnx", "path": "teacher.onnx"}},
        {"teacher": {"kind": "ensemble", "members": [{"kind": "baseline"}, ZOO, {"kind": "onnx", "path": "t.onnx"}]}},
        {"teacher": ZOO, "losses": [{"kind": "kl"}]},
        {"teacher": ZOO, "losses": [{"kind": "kl"}], "soft_labels": "cache"},
        {"losses": [FEATURES, {"kind": "hard_label"}]},
        {"student": STUDENT, "losses": [{"kind": "kl"}]},
        {"student": STUDENT | {"weights": "pretrained"}},
        {"way": "online", "losses": [{"kind": "kl"}]},
        {"way": "online", "losses": [FEATURES, *BOTH]},
        {"way": "self"},
        {"way": "self", "average": 0.99},
        {"way": "self", "average": None, "losses": [OWN, {"kind": "hard_label"}]},
        {"losses": [{"kind": "kl", "schedule": SCHEDULED | {"begin": 0.5, "finish": 3}}, {"kind": "hard_label"}]},
    ],
    ids=str,
)
def test_these_are_valid_and_read_again_as_the_same(
    registry: Registry, quickstart: dict[str, Any], settings: dict[str, Any]
) -> None:
    spec = load_spec(distilling(quickstart, **settings), registry)
    assert load_spec(spec.model_dump(mode="json"), registry) == spec


@pytest.mark.parametrize(
    ("settings", "place", "what"),
    [
        ({"teacher": {"kind": "zoo", "name": "resnet18"}}, "teacher", "neither trained nor loaded"),
        ({"teacher": ZOO | {"train": {"epochs": 0}}}, "teacher", "neither trained nor loaded"),
        ({"teacher": ZOO | {"weights": "a.h5"}}, "teacher.weights", "is no file of weights"),
        ({"teacher": ZOO | {"name": "resnet19"}}, "teacher.name", "cannot build the network `resnet19`"),
        ({"teacher": {"kind": "zoo"}}, "teacher.name", "is missing"),
        ({"teacher": {"kind": "artifact", "path": ""}}, "teacher.path", "wrong type"),
        ({"teacher": {"kind": "ensemble", "members": [ZOO]}}, "teacher.members", "too few"),
        ({"teacher": {"kind": "ensemble", "members": [ZOO, {"kind": "zoo", "name": "cn", "weights": "pretrained"}]}},
         "teacher.members[1].name", "cannot build"),
        ({"teacher": ZOO | {"train": {"epochs": 2, "schedule": {"kind": "cosine", "warmup_epochs": 5}}}},
         "teacher.train.schedule.warmup_epochs", "warm-up"),
        ({"teacher": {"kind": "onnx", "path": "t.onnx"}, "losses": [FEATURES]}, "losses[0]", "an ONNX file"),
        ({"teacher": {"kind": "ensemble", "members": [ZOO, ZOO]}, "losses": [*BOTH, FEATURES]}, "losses[2]",
         "ensemble"),
        ({"soft_labels": "cache", "losses": [FEATURES, *BOTH]}, "losses[0]", "keeps the teacher's outputs only"),
        ({"way": "online", "teacher": {"kind": "baseline"}}, "teacher", "`way: online`"),
        ({"way": "self", "teacher": ZOO}, "teacher", "`way: self`"),
        ({"way": "online", "soft_labels": "cache"}, "soft_labels", "changes in every step"),
        ({"way": "self", "soft_labels": "cache"}, "soft_labels", "changes in every step"),
        ({"average": 0.9}, "average", "`way: offline`"),
        ({"way": "self", "average": 1.0}, "average", "out of range"),
        ({"way": "self", "losses": [{"kind": "kl"}]}, "losses", "its own teacher"),
        ({"way": "self", "average": None}, "losses[0]", "own layers teach"),
        ({"way": "self", "average": None, "losses": [FEATURES]}, "losses[0].taps[0]", "teach itself"),
        ({"losses": [{"kind": "dkd"}]}, "losses", "its own teacher"),
        ({"losses": [FEATURES]}, "losses", "its own teacher"),
        ({"losses": [{"kind": "hard_label"}]}, "losses", "no loss reads the teacher"),
        ({"losses": [{"kind": "kl", "weight": 0.0}]}, "losses", "nothing would be learned"),
        ({"losses": [{"kind": "kl", "schedule": SCHEDULED | {"start": 0.0}}]}, "losses", "nothing would be learned"),
        ({"losses": [{"kind": "kl", "schedule": SCHEDULED | {"finish": 4}}, BOTH[1]]}, "losses[0].schedule.finish",
         "over before"),
        ({"losses": [{"kind": "kl", "schedule": SCHEDULED | {"begin": 3}}, BOTH[1]]}, "losses[0].schedule.begin",
         "no time to change"),
        ({"student": STUDENT | {"num_classes": 7}}, "student.num_classes", "not the one of `model`"),
        ({"student": STUDENT | {"input_size": [9, 8]}}, "student.input_size", "not the one of `model`"),
        ({"student": STUDENT | {"name": "cmn"}}, "student.name", "cannot build the network `cmn`"),
    ],
    ids=str,
)  # fmt: skip
def test_these_are_refused_with_one_problem_at_their_place(
    registry: Registry, quickstart: dict[str, Any], settings: dict[str, Any], place: str, what: str
) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(distilling(quickstart, **settings), registry)
    (problem,) = caught.value.problems
    assert problem.where == f"steps[0].{place}"
    assert what in problem.what
    assert problem.value
    assert problem.expected
    assert problem.remedy


def test_what_came_before_another_student_would_be_thrown_away(registry: Registry, quickstart: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="what `prune` made of it would be thrown away"):
        load_spec(distilling(quickstart, PRUNE, student=STUDENT), registry)


def test_a_network_that_is_given_has_no_other_student(registry: Registry, quickstart: dict[str, Any]) -> None:
    spec = distilling(quickstart, student=STUDENT)
    del spec["model"]
    with pytest.raises(SpecError, match="works on the network that it is given"):
        load_spec(spec, registry)


def test_a_teacher_that_is_not_named_is_the_baseline_and_only_offline() -> None:
    step = {"losses": BOTH, "train": TRAIN}
    assert DistillStep.model_validate(step).offline_teacher == BaselineTeacher()
    assert DistillStep.model_validate({**step, "way": "online"}).offline_teacher is None


def test_members_are_named_one_by_one() -> None:
    members = ({"kind": "baseline"}, ZOO)
    teacher = EnsembleTeacher.model_validate({"members": members})
    step = DistillStep.model_validate({"losses": BOTH, "train": TRAIN, "teacher": teacher})
    assert [place for place, _ in step.named_teachers()] == [("teacher", "members", 0), ("teacher", "members", 1)]
