from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest

from paredown import builtin
from paredown.contracts import BackendInfo, Component, StepKind
from paredown.errors import PluginError, SpecError, UnsupportedError
from paredown.registry import Registry
from paredown.spec.base import ComponentConfig, Frozen, Slot
from paredown.spec.loader import load_spec
from paredown.spec.models import DistillStep, PruneStep, Spec


class Task(ComponentConfig):
    kind: Literal["classification"] = "classification"


class Runtime(ComponentConfig):
    kind: Literal["onnxruntime"] = "onnxruntime"


class SpreadCriterion(ComponentConfig):
    """Scores a channel by the spread of its weights."""

    kind: Literal["spread"] = "spread"
    power: float = 2.0


class RefineStep(Frozen):
    """A step of a plugin's own, with a slot that has a default."""

    kind: Literal["refine"] = "refine"
    criterion: Annotated[ComponentConfig, Slot("criterion")] = {"kind": "l2"}  # noqa: RUF012  # pydantic copies
    others: tuple[Annotated[ComponentConfig, Slot("criterion")], ...] = ()
    by_name: dict[str, Annotated[ComponentConfig, Slot("criterion")]] = {}  # noqa: RUF012
    runtime: Annotated[ComponentConfig | None, Slot("runtime")] = None


SPEC: dict[str, Any] = {
    "version": 1,
    "name": "x",
    "task": {"kind": "classification"},
    "deploy": {"runtime": {"kind": "onnxruntime"}},
    "backends": ["torch"],
}


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    for step in builtin.register_steps():
        registry.add_step(step, "core")
    for component in builtin.register_components():
        registry.add_component(component, "core")
    registry.add_component(Component("task", "classification", "fake:task", Task), "vision")
    registry.add_component(Component("runtime", "onnxruntime", "fake:runtime", Runtime), "runtime")
    registry.add_backend(BackendInfo("torch", "PyTorch", (), "pip install torch", ("cnn",), ("m", "C")), "torch")
    return registry


def with_steps(*steps: dict[str, Any]) -> dict[str, Any]:
    return {**SPEC, "steps": list(steps)}


def test_slots_are_filled_and_instances_stay_instances_of_the_static_models(registry: Registry) -> None:
    registry.add_component(Component("criterion", "spread", "fake:spread", SpreadCriterion), "third")
    spec = load_spec(with_steps({"kind": "prune", "criterion": {"kind": "spread", "power": 3}, "ratio": 0.5}), registry)
    assert isinstance(spec, Spec)
    assert isinstance(spec.steps[0], PruneStep)
    assert spec.steps[0].criterion == SpreadCriterion(power=3.0)
    assert registry.spec_model() is registry.spec_model()
    assert registry.spec_model().__name__ == "Spec"


def test_a_union_of_one_kind_works_and_names_the_kind(registry: Registry) -> None:
    assert registry.names("runtime") == ("onnxruntime",)
    with pytest.raises(SpecError, match="unknown kind `cpu`") as caught:
        load_spec({**SPEC, "deploy": {"runtime": {"kind": "cpu"}}}, registry)
    assert caught.value.problems[0].expected == "one of `onnxruntime`"


def test_a_slot_that_nothing_fills_refuses_every_kind(registry: Registry) -> None:
    with pytest.raises(SpecError, match="unknown kind `digits`") as caught:
        load_spec({**SPEC, "data": {"kind": "digits"}}, registry)
    assert caught.value.problems[0].expected == "a kind that is installed, and none is"


def test_a_plugins_step_may_have_slots_and_defaults_given_as_mappings(registry: Registry) -> None:
    registry.add_step(StepKind("refine", RefineStep), "third")
    given = {"kind": "refine", "others": [{"kind": "l1"}], "by_name": {"a": {"kind": "l2"}}}
    (step,) = load_spec(with_steps(given), registry).steps
    assert isinstance(step, RefineStep)
    assert [step.criterion.kind, step.others[0].kind, step.by_name["a"].kind] == ["l2", "l1", "l2"]
    assert type(step.criterion).__name__ == "L2Criterion"
    assert step.runtime is None
    assert registry.step_owner("refine") == "third"


def test_the_schema_holds_every_kind_with_its_description(registry: Registry) -> None:
    registry.add_component(Component("criterion", "spread", "fake:spread", SpreadCriterion), "third")
    schema = registry.json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "Spec"
    assert "$id" not in str(schema)
    criterion = schema["$defs"]["PruneStep"]["properties"]["criterion"]
    assert set(criterion["discriminator"]["mapping"]) == {*registry.names("criterion")} >= {"l1", "lamp", "spread"}
    assert schema["$defs"]["SpreadCriterion"]["description"] == "Scores a channel by the spread of its weights."
    assert all("description" in definition for name, definition in schema["$defs"].items() if name.endswith("Step"))
    schema["title"] = "changed"
    assert registry.json_schema()["title"] == "Spec"


def test_two_owners_of_one_name_are_both_named(registry: Registry) -> None:
    registry.add_component(Component("criterion", "l2", "fake:l2", builtin.L2Criterion), "third")
    with pytest.raises(PluginError, match="plugins `core` and `third`"):
        registry.spec_model()
    with pytest.raises(PluginError, match="plugins `core` and `third`"):
        registry.add_step(StepKind("prune", PruneStep), "third")
    with pytest.raises(PluginError, match="plugins `torch` and `third`"):
        registry.add_backend(registry.backends["torch"], "third")


def test_a_backend_implements_what_another_plugin_declares(registry: Registry) -> None:
    registry.add_component(Component("distill_loss", "kl", "json:dumps", backend="torch"), "torch")
    assert registry.implementation("distill_loss", "kl", "torch").__name__ == "dumps"
    assert registry.has_implementation("distill_loss", "kl", "torch")
    assert registry.has_implementation("distill_loss", "kl")
    assert not registry.has_implementation("distill_loss", "hard_label", "torch")
    assert registry.components["distill_loss", "kl"].owner == "core"


def test_the_numpy_reference_never_stands_in_for_a_backend(registry: Registry) -> None:
    with pytest.raises(UnsupportedError, match="nothing implements the distill_loss `kl` for `paddle`"):
        registry.implementation("distill_loss", "kl", "paddle")


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (
            Component("distill_loss", "kll", "a:b", backend="torch"),
            "implements the distill_loss `kll`, which no plugin",
        ),
        (Component("criterion", "odd", "a:b"), "neither options nor a backend"),
        (
            Component("criterion", "spread", "a:b", SpreadCriterion, needs=("gradients",)),
            "`spread` do not say on how many images gradients are measured",
        ),
        (Component("criterion", "odd", "a:b", SpreadCriterion), "do not narrow `kind`"),
        (Component("criterions", "spread", "a:b", SpreadCriterion), "the slot `criterions`, which no spec has"),
    ],
)
def test_a_component_that_breaks_the_contract_is_refused(
    component: Component, message: str, registry: Registry
) -> None:
    def add_and_build() -> None:
        registry.add_component(component, "third")
        registry.spec_model()

    with pytest.raises(PluginError, match=message):
        add_and_build()


def test_two_backends_implementations_of_one_component_are_refused(registry: Registry) -> None:
    for owner in ("torch", "third"):
        registry.add_component(Component("distill_loss", "kl", "json:dumps", backend="torch"), owner)
    with pytest.raises(PluginError, match="for `torch` is claimed twice: plugins `torch` and `third`"):
        registry.spec_model()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module_anywhere:f", "plugin `third`: the module `no_such_module_anywhere` cannot be imported"),
        ("json:no_such_name", "the module `json` has no `no_such_name`"),
        ("json", "an implementation that cannot be imported"),
    ],
)
def test_an_implementation_that_cannot_be_imported_names_the_plugin(
    target: str, message: str, registry: Registry
) -> None:
    registry.add_component(Component("criterion", "spread", target, SpreadCriterion), "third")
    with pytest.raises(PluginError, match=message):
        registry.implementation("criterion", "spread")


def test_an_unknown_component_lists_what_there_is(registry: Registry) -> None:
    with pytest.raises(PluginError, match="there is no criterion `l3`"):
        registry.implementation("criterion", "l3")


class Nested(ComponentConfig):
    kind: Literal["nested"] = "nested"
    inner: Annotated[ComponentConfig | None, Slot("criterion")] = None


def test_components_that_hold_each_other_without_end_are_refused(registry: Registry) -> None:
    registry.add_component(Component("criterion", "nested", "a:b", Nested), "third")
    with pytest.raises(PluginError, match="hold each other without end"):
        registry.spec_model()


def test_cores_own_implementations_import(registry: Registry) -> None:
    for slot, name in registry.components:
        if registry.components[slot, name].owner == "core":
            assert callable(registry.implementation(slot, name))


def test_the_distill_step_is_in_the_schema_and_the_model(registry: Registry) -> None:
    loss = {"kind": "kl"}
    train = {"epochs": 1, "optimizer": {"kind": "sgd", "lr": 0.1}}
    prune = {"kind": "prune", "criterion": {"kind": "l1"}, "ratio": 0.5}
    spec = load_spec(with_steps(prune, {"kind": "distill", "losses": [loss], "train": train}), registry)
    assert isinstance(spec.steps[1], DistillStep)
