"""Who takes a width multiplier, who refuses one, and what each backend and the loader say of it."""

from __future__ import annotations

from typing import Any

import pytest

from paredown.engine.preflight import problems
from paredown.errors import ModelError, SpecError
from paredown.manager import Manager
from paredown.spec.loader import load_spec
from paredown.spec.models import Spec, ZooModel
from paredown.spec.widths import Widths, misfit
from paredown.twins import (
    NAMED_BY_WIDTH,
    TORCH_DETECTORS,
    TORCH_ONLY,
    TORCH_PIXELS,
    UNIFORM,
    WIDTHS,
    outputs_of,
    require_width,
    scaled,
)
from paredown.zoo import networks

TRAIN = {"epochs": 1, "optimizer": {"kind": "sgd", "lr": 0.1}}


@pytest.fixture(scope="module")
def manager() -> Manager:
    """Everything that is installed."""
    return Manager.discover()


def with_network(quickstart: dict[str, Any], **fields: Any) -> dict[str, Any]:
    changed = quickstart | {"model": quickstart["model"] | fields}
    if fields["name"] in (*TORCH_ONLY, *TORCH_PIXELS):
        changed["backends"] = ["torch"]
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


@pytest.mark.parametrize(
    ("network", "width"),
    [
        (network, width)
        for network, widths in WIDTHS.items()
        for width in ((1 / widths.parts, 1, 1.5) if widths.parts else (widths.least or 0.01, 1, 1.4))
    ],
)
def test_networks_that_take_a_width_take_all_that_are_announced(
    manager: Manager, quickstart: dict[str, Any], network: str, width: float
) -> None:
    spec = load_spec(with_network(quickstart, name=network, width=width), manager.registry)
    assert spec.model is not None
    assert spec.model.width == width
    assert not [problem for backend in spec.backends for problem in problems(manager, spec, backend)]


def test_every_network_of_the_zoo_but_ssdlite_takes_another_width_than_1(manager: Manager) -> None:
    assert {network.name for network in networks(manager) if network.widths is not None} >= WIDTHS.keys()
    for backend in ("torch", "paddle"):
        assert manager.backend(backend).widths.keys() == {*manager.backend(backend).models} - {*TORCH_DETECTORS}


@pytest.mark.parametrize(
    ("network", "width", "remedy"),
    [
        ("resnet18", 0.3, "write `width: 0.25` or `width: 0.375`"),
        ("densenet121", 0.05, "write `width: 0.125`"),
        ("vit_b_16", 0.4, "write `width: 0.25` or `width: 0.5`"),
        ("shufflenet_v2_x1_0", 0.75, "write `width: 0.5` or `width: 1.0`"),
    ],
)
def test_a_width_between_those_that_a_network_takes_is_refused_with_the_nearest(
    manager: Manager, quickstart: dict[str, Any], network: str, width: float, remedy: str
) -> None:
    problem = refused(manager, with_network(quickstart, name=network, width=width))
    assert problem.where.endswith("model.width")
    assert problem.what == f"`{network}` does not take this width"
    assert f"in steps of 1/{WIDTHS[network].parts}" in problem.expected
    assert problem.remedy == remedy


def test_a_width_at_which_the_frameworks_hold_different_networks_is_refused_with_the_greatest(
    manager: Manager, quickstart: dict[str, Any]
) -> None:
    problem = refused(manager, with_network(quickstart, name="shufflenet_v2_x1_0", width=2))
    assert (problem.what, problem.remedy) == ("`shufflenet_v2_x1_0` is not built as wide as this", "write `width: 1.5`")


def test_a_network_of_one_width_refuses_another_by_name_and_lists_those_that_take_one() -> None:
    found = misfit("theirs", 0.5, None, WIDTHS)
    assert found is not None
    assert found.what == "`theirs` has one width only"
    assert all(f"`{name}`" in found.expected for name in WIDTHS)
    assert misfit("theirs", 1, None, WIDTHS) is None


def test_two_backends_take_the_widths_that_both_take() -> None:
    assert Widths(0.15, 2.0, 8).common(Widths(0.25, None, 4)) == Widths(0.25, 2.0, 4)
    assert Widths(most=1.5).common(Widths(most=3.0, parts=6)) == Widths(most=1.5, parts=6)
    assert [width for width in (0.25, 0.5, 2 / 3, 1.0) if Widths(parts=3).common(Widths()).takes(width)] == [2 / 3, 1.0]


def test_what_is_said_of_widths_is_what_is_taken() -> None:
    shown = {"any": Widths(), "from 0.15": Widths(least=0.15), "up to 1.5 in steps of 1/2": Widths(most=1.5, parts=2)}
    assert [str(widths) for widths in shown.values()] == list(shown)
    (variants,) = NAMED_BY_WIDTH.values()
    assert {width for width in variants if WIDTHS["shufflenet_v2_x1_0"].takes(width)} == set(variants)
    assert all(WIDTHS[name] == Widths(parts=8) for name in UNIFORM)


@pytest.mark.parametrize(
    ("network", "width"), [("mobilenet_v1", 0.03), ("mobilenet_v3_small", 0.14), ("mobilenet_v3_large", 0.14)]
)
def test_a_width_that_leaves_no_network_is_refused_with_the_smallest(
    manager: Manager, quickstart: dict[str, Any], network: str, width: float
) -> None:
    problem = refused(manager, with_network(quickstart, name=network, width=width))
    assert "loses layers" in problem.what
    assert problem.expected == f"a width from {WIDTHS[network].least}"
    assert problem.remedy == f"write `width: {WIDTHS[network].least}`"


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
    def taught(teacher: str, student: str, width: float = 0.5) -> dict[str, Any]:
        step = {
            "kind": "distill",
            "losses": [{"kind": "kl"}],
            "teacher": {"kind": "zoo", "name": teacher, "width": width, "train": TRAIN},
            "student": quickstart["model"] | {"name": student, "width": 0.75},
            "train": TRAIN,
        }
        return quickstart | {"steps": [step]}

    load_spec(taught("cnn", "mobilenet_v2_small"), manager.registry)
    assert refused(manager, taught("vgg11", "cnn", 0.6)).where.endswith("steps[0].teacher.width")
    assert refused(manager, taught("cnn", "shufflenet_v2_x1_0")).where.endswith("steps[0].student.width")


def test_a_check_before_the_run_names_a_network_that_does_not_take_its_width(
    manager: Manager, quickstart: dict[str, Any]
) -> None:
    spec = load_spec(quickstart, manager.registry)
    assert isinstance(spec, Spec)
    changed = spec.model_copy(update={"model": ZooModel(name="resnet18", width=0.3)})
    for backend in ("torch", "paddle"):
        (problem,) = problems(manager, changed, backend)
        assert "`resnet18` does not take this width, and the spec asks for 0.3" in problem
        assert "in steps of 1/8" in problem


def test_a_builder_refuses_what_no_spec_would_ask() -> None:
    require_width("vgg11", 1, is_pretrained=True)
    with pytest.raises(ModelError, match="does not take this width"):
        require_width("vgg11", 0.6, is_pretrained=False)
    with pytest.raises(ModelError, match="pretrained"):
        require_width("mobilenet_v2", 0.5, is_pretrained=True)


@pytest.mark.parametrize(
    ("channels", "width", "divisor", "expected"),
    [(64, 1.0, 8, 64), (12, 1.0, 4, 12), (16, 0.5, 8, 8), (16, 0.01, 8, 8), (24, 0.75, 8, 24), (32, 0.625, 8, 24)],
    ids=["unchanged", "unchanged at 4", "half", "never none", "up, where a tenth would go", "half a step up"],
)
def test_channels_are_rounded_to_multiples(channels: int, width: float, divisor: int, expected: int) -> None:
    assert scaled(channels, width, divisor) == expected
