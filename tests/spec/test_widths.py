"""Who takes a width multiplier, who refuses one, and what each backend and the loader say of it."""

from __future__ import annotations

from typing import Any

import pytest

from paredown.engine.preflight import problems
from paredown.errors import ModelError, SpecError
from paredown.manager import Manager
from paredown.spec.loader import load_spec
from paredown.spec.models import Spec, ZooModel
from paredown.twins import OWN, SHARED, TORCH_ONLY, WIDTHS, outputs_of, require_width, scaled

FIXED = [name for name in (*OWN, *SHARED) if name not in WIDTHS]
TRAIN = {"epochs": 1, "optimizer": {"kind": "sgd", "lr": 0.1}}


@pytest.fixture(scope="module")
def manager() -> Manager:
    """Everything that is installed."""
    return Manager.discover()


def with_network(quickstart: dict[str, Any], **fields: Any) -> dict[str, Any]:
    changed = quickstart | {"model": quickstart["model"] | fields}
    tasks = {"pixels": "semantic_segmentation", "boxes": "detection", "masks": "instance_segmentation"}
    task = tasks.get(outputs_of((fields["name"],)).get(fields["name"], "classes"))
    if task:
        # The quickstart's distillation compares classes.
        steps = [step for step in quickstart["steps"] if step["kind"] != "distill"]
        changed |= {"task": {"kind": task}, "data": {"kind": "digit_scenes", "target": task}, "steps": steps}
    return changed


def refused(manager: Manager, spec: dict[str, Any]) -> Any:
    with pytest.raises(SpecError) as caught:
        load_spec(spec, manager.registry)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("network", WIDTHS)
@pytest.mark.parametrize("width", [0.2, 0.5, 1, 1.4])
def test_networks_that_take_a_width_take_any_from_their_smallest_on(
    manager: Manager, quickstart: dict[str, Any], network: str, width: float
) -> None:
    spec = load_spec(with_network(quickstart, name=network, width=width), manager.registry)
    assert spec.model is not None
    assert spec.model.width == width
    assert not [problem for backend in spec.backends for problem in problems(manager, spec, backend)]


@pytest.mark.parametrize("network", FIXED)
def test_every_other_network_refuses_a_width_by_name_and_lists_those_that_take_one(
    manager: Manager, quickstart: dict[str, Any], network: str
) -> None:
    problem = refused(manager, with_network(quickstart, name=network, width=0.5))
    assert problem.where.endswith("model.width")
    assert f"`{network}` has one width only" in problem.what
    assert all(f"`{name}`" in problem.expected for name in WIDTHS)
    load_spec(with_network(quickstart, name=network, width=1.0), manager.registry)


@pytest.mark.parametrize("network", ["shufflenet_v2_x1_0", "mnasnet1_0"])
def test_where_widths_are_named_variants_the_remedy_says_so(
    manager: Manager, quickstart: dict[str, Any], network: str
) -> None:
    backends = ["torch"] if network in TORCH_ONLY else ["torch", "paddle"]
    problem = refused(manager, with_network(quickstart, name=network, width=0.5) | {"backends": backends})
    assert "variants with names of their own" in problem.remedy


@pytest.mark.parametrize(
    ("network", "width"), [("mobilenet_v1", 0.03), ("mobilenet_v3_small", 0.14), ("mobilenet_v3_large", 0.14)]
)
def test_a_width_that_leaves_no_network_is_refused_with_the_smallest(
    manager: Manager, quickstart: dict[str, Any], network: str, width: float
) -> None:
    problem = refused(manager, with_network(quickstart, name=network, width=width))
    assert "loses layers" in problem.what
    assert problem.expected == f"at least {WIDTHS[network]}"


@pytest.mark.parametrize("width", [0, -1, float("nan"), float("inf"), "0.5"])
def test_a_width_is_a_finite_number_above_0(manager: Manager, quickstart: dict[str, Any], width: Any) -> None:
    assert refused(manager, with_network(quickstart, name="cnn", width=width)).where.endswith("model.width")


def test_pretrained_weights_are_those_of_width_1(manager: Manager, quickstart: dict[str, Any]) -> None:
    network = {"name": "mobilenet_v2", "weights": "pretrained"}
    assert "pretrained" in refused(manager, with_network(quickstart, **network, width=0.5)).what
    load_spec(with_network(quickstart, **network), manager.registry)
    load_spec(with_network(quickstart, name="mobilenet_v2", weights="a.safetensors", width=0.5), manager.registry)


def test_students_and_teachers_take_a_width_too_and_are_refused_at_their_place(
    manager: Manager, quickstart: dict[str, Any]
) -> None:
    def taught(teacher: str, student: str) -> dict[str, Any]:
        step = {
            "kind": "distill",
            "losses": [{"kind": "kl"}],
            "teacher": {"kind": "zoo", "name": teacher, "width": 0.5, "train": TRAIN},
            "student": quickstart["model"] | {"name": student, "width": 0.75},
            "train": TRAIN,
        }
        return quickstart | {"steps": [step]}

    load_spec(taught("cnn", "mobilenet_v2_small"), manager.registry)
    assert refused(manager, taught("vgg11", "cnn")).where.endswith("steps[0].teacher.width")
    assert refused(manager, taught("cnn", "resnet18")).where.endswith("steps[0].student.width")


def test_a_check_before_the_run_names_a_network_that_does_not_take_its_width(
    manager: Manager, quickstart: dict[str, Any]
) -> None:
    spec = load_spec(quickstart, manager.registry)
    assert isinstance(spec, Spec)
    changed = spec.model_copy(update={"model": ZooModel(name="resnet18", width=0.5)})
    for backend in ("torch", "paddle"):
        (problem,) = problems(manager, changed, backend)
        assert "`resnet18` has one width only" in problem
        assert "`mobilenet_v2`" in problem


def test_a_builder_refuses_what_no_spec_would_ask() -> None:
    require_width("vgg11", 1, is_pretrained=True)
    with pytest.raises(ModelError, match="one width only"):
        require_width("vgg11", 0.5, is_pretrained=False)
    with pytest.raises(ModelError, match="pretrained"):
        require_width("mobilenet_v2", 0.5, is_pretrained=True)


@pytest.mark.parametrize(
    ("channels", "width", "divisor", "expected"),
    [(64, 1.0, 8, 64), (12, 1.0, 4, 12), (16, 0.5, 8, 8), (16, 0.01, 8, 8), (24, 0.75, 8, 24), (32, 0.625, 8, 24)],
    ids=["unchanged", "unchanged at 4", "half", "never none", "up, where a tenth would go", "half a step up"],
)
def test_channels_are_rounded_to_multiples(channels: int, width: float, divisor: int, expected: int) -> None:
    assert scaled(channels, width, divisor) == expected
