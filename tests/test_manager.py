from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from paredown import hookspecs
from paredown.contracts import (
    BackendInfo,
    Checkpoint,
    Component,
    ExportRequest,
    ExportResult,
    Measurements,
    MeasureRequest,
    ModelSource,
    Outcome,
    RunContext,
    StepKind,
    TrainingRun,
)
from paredown.errors import BackendMissing, PluginError, SpecError, UnsupportedError
from paredown.manager import Manager
from paredown.markers import hookimpl
from paredown.plan import DistillPlan, PrunePlan, QuantPlan
from paredown.spec.base import Frozen
from paredown.spec.models import ConstantSchedule, SgdConfig

PRUNE = PrunePlan(input_shape=(1, 8, 8), criterion={"kind": "l2"}, scope="global", amount={"ratio": 0.5}, cuts=())
QUANTIZE = QuantPlan(target="portable", points=())
DISTILL = DistillPlan(
    losses=(), teacher=None, epochs=1, batch_size=1, optimizer=SgdConfig(lr=0.1), schedule=ConstantSchedule()
)
TRAINING = TrainingRun(batches=lambda epoch: iter(()), steps_per_epoch=1, learning_rate=lambda step: 0.1, losses=())
SOURCE = ModelSource("cnn", 10, 1, (8, 8))


class RefineStep(Frozen):
    kind: Literal["refine"] = "refine"


class Backend:
    """A backend that answers every hook with its name, whichever backend is asked: it would answer for others too."""

    def __init__(self, name: str, distributions: tuple[str, ...] = ()) -> None:
        self.name, self.distributions = name, distributions

    @hookimpl
    def register_backend(self) -> BackendInfo:
        install = f'pip install "paredown[{self.name}]"'
        return BackendInfo(self.name, self.name.title(), self.distributions, install, ("cnn",), ("m", "C"), ("onnx",))

    @hookimpl
    def load_model(self, backend: str, source: ModelSource, run: RunContext) -> Any:
        return f"{self.name}: {source.name}" if source.name == "cnn" else None

    @hookimpl
    def measure(self, backend: str, model: Any, request: MeasureRequest) -> Measurements:
        return Measurements(activations={"by": self.name})

    @hookimpl
    def prune(self, backend: str, model: Any, plan: PrunePlan) -> Outcome:
        return Outcome(model, {"by": self.name})

    @hookimpl
    def quantize(self, backend: str, model: Any, plan: QuantPlan) -> Outcome:
        return Outcome(model, {"by": self.name})

    @hookimpl
    def distill(self, backend: str, model: Any, plan: DistillPlan, run: TrainingRun) -> Outcome:
        return Outcome(model, {"by": self.name})

    @hookimpl
    def evaluate(self, backend: str, model: Any, images: Any) -> Any:
        return self.name

    @hookimpl
    def fold(self, backend: str, model: Any, folds: Sequence[Any]) -> Any:
        return self.name

    @hookimpl
    def export(self, backend: str, model: Any, request: ExportRequest) -> ExportResult | None:
        return ExportResult((Path(self.name),)) if request.format == "onnx" else None

    @hookimpl
    def save(self, backend: str, model: Any) -> Any:
        return {self.name: 0}

    @hookimpl
    def restore(self, backend: str, model: Any, state: Any) -> Any:
        return self.name

    @hookimpl
    def read_weights(self, backend: str, path: Path) -> Checkpoint:
        return Checkpoint({}, (self.name,))


class Bare:
    """A backend that can do nothing."""

    @hookimpl
    def register_backend(self) -> BackendInfo:
        return BackendInfo("bare", "Bare", (), "pip install bare", (), ("m", "C"))


class Refiner:
    """A third package: a step of its own for any backend, and `prune` for the backend that lacks it."""

    @hookimpl
    def register_steps(self) -> Sequence[StepKind]:
        return (StepKind("refine", RefineStep),)

    @hookimpl
    def apply_step(self, backend: str, model: Any, step: Frozen, run: RunContext) -> Outcome | None:
        return Outcome(model, {"refined on": backend}) if isinstance(step, RefineStep) else None

    @hookimpl
    def prune(self, backend: str, model: Any, plan: PrunePlan) -> Outcome:
        return Outcome(model, {"by": "refiner"})


class Wrapper:
    @hookimpl(wrapper=True)
    def prune(self, backend: str, model: Any, plan: PrunePlan) -> Iterator[None]:
        outcome = yield
        return Outcome(outcome.model, {**outcome.evidence, "wrapped": backend})


class Onlooker:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @hookimpl
    def on_step_end(self, backend: str, step: Frozen, evidence: dict[str, Any]) -> None:
        self.seen.append(backend)

    @hookimpl
    def report_sections(self, report: Any) -> Sequence[tuple[str, str]]:
        return [("title", "text")]


@pytest.fixture
def manager() -> Manager:
    manager = Manager()
    for name in ("torch", "paddle"):
        manager.register(Backend(name), name)
    manager.register(Bare(), "bare")
    return manager


CALLS: dict[str, Callable[[Manager, str], Any]] = {
    "load_model": lambda manager, backend: manager.load_model(backend, SOURCE, RunContext()).split(":")[0],
    "measure": lambda manager, backend: manager.measure(backend, 0, MeasureRequest("layers", (1, 8, 8))).activations[
        "by"
    ],
    "prune": lambda manager, backend: manager.prune(backend, 0, PRUNE).evidence["by"],
    "quantize": lambda manager, backend: manager.quantize(backend, 0, QUANTIZE).evidence["by"],
    "distill": lambda manager, backend: manager.distill(backend, 0, DISTILL, TRAINING).evidence["by"],
    "evaluate": lambda manager, backend: manager.evaluate(backend, 0, []),  # type: ignore[arg-type]
    "fold": lambda manager, backend: manager.fold(backend, 0, []),
    "export": lambda manager, backend: (
        manager.export(backend, 0, ExportRequest("onnx", Path("x"), (1, 8, 8))).files[0].name
    ),
    "save": lambda manager, backend: next(iter(manager.save(backend, 0))),
    "restore": lambda manager, backend: manager.restore(backend, 0, {}),
    "read_weights": lambda manager, backend: manager.read_weights(backend, Path("x"), lambda: 0).notes[0],
}


@pytest.mark.parametrize("hook", CALLS)
def test_a_backend_is_chosen_by_name_and_others_are_not_asked(hook: str, manager: Manager) -> None:
    assert CALLS[hook](manager, "torch") == "torch"
    assert CALLS[hook](manager, "paddle") == "paddle"


@pytest.mark.parametrize("hook", CALLS)
def test_what_nobody_can_do_names_backend_hook_abilities_and_remedy(hook: str, manager: Manager) -> None:
    with pytest.raises(UnsupportedError, match=f"`bare` cannot .*`{hook}`") as caught:
        CALLS[hook](manager, "bare")
    (problem,) = caught.value.problems
    assert "torch, paddle" in (problem.remedy or "")
    assert problem.expected


def test_every_hook_has_a_typed_method() -> None:
    hooks = {name for name, value in vars(hookspecs).items() if hasattr(value, "paredown_spec")}
    assert hooks - {"register_backend", "register_steps", "register_components"} <= set(vars(Manager))
    assert set(CALLS) | {"apply_step", "on_step_end", "report_sections"} == {
        hook for hook in hooks if not hook.startswith("register_")
    }


def test_a_network_or_format_that_the_backend_lacks_is_listed(manager: Manager) -> None:
    with pytest.raises(UnsupportedError, match="cannot build the network `vgg`") as caught:
        manager.load_model("torch", ModelSource("vgg", 10, 3, (8, 8)), RunContext())
    assert caught.value.problems[0].expected == "one of `cnn`"
    with pytest.raises(UnsupportedError, match="cannot export to `tflite`") as caught:
        manager.export("torch", 0, ExportRequest("tflite", Path("x"), (1, 8, 8)))
    assert caught.value.problems[0].expected == "one of `onnx`"


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_third_plugin_fills_gaps_and_does_not_displace_a_backend(order: str) -> None:
    manager = Manager()
    plugins = [("refiner", Refiner()), ("torch", Backend("torch")), ("bare", Bare())]
    for name, plugin in plugins if order == "before" else reversed(plugins):
        manager.register(plugin, name)
    assert manager.prune("torch", 0, PRUNE).evidence == {"by": "torch"}
    assert manager.prune("bare", 0, PRUNE).evidence == {"by": "refiner"}
    assert manager.apply_step("bare", 0, RefineStep(), RunContext()).evidence == {"refined on": "bare"}


def test_a_wrapper_wraps_the_chosen_backend(manager: Manager) -> None:
    manager.register(Wrapper(), "wrapper")
    assert manager.prune("paddle", 0, PRUNE).evidence == {"by": "paddle", "wrapped": "paddle"}


def test_onlookers_hear_and_add_sections(manager: Manager) -> None:
    onlooker = Onlooker()
    manager.register(onlooker, "onlooker")
    manager.on_step_end("torch", RefineStep(), {})
    assert onlooker.seen == ["torch"]
    assert manager.report_sections(object()) == [("title", "text")]


def test_an_unknown_backend_is_answered_with_the_nearest_name(manager: Manager) -> None:
    with pytest.raises(SpecError, match="no backend `padle`") as caught:
        manager.require_backend("padle")
    assert caught.value.problems[0].remedy == "did you mean `paddle`?"


def test_a_backend_without_its_packages_names_the_command_that_installs_them(manager: Manager) -> None:
    manager.register(Backend("jax", ("pytest", "no-such-distribution-here")), "jax")
    assert manager.backend("jax").title == "Jax"
    with pytest.raises(BackendMissing, match="`jax` is not installed") as caught:
        manager.save("jax", 0)
    (problem,) = caught.value.problems
    assert problem.remedy == 'pip install "paredown[jax]"'
    assert problem.value == "without no-such-distribution-here"


class Misspelt:
    @hookimpl
    def prun(self) -> None: ...


class WrongArgument:
    @hookimpl
    def prune(self, backnd: str) -> None: ...


@pytest.mark.parametrize(("plugin", "message"), [(Misspelt(), "prun"), (WrongArgument(), "backnd")])
def test_a_plugin_that_breaks_the_contract_is_refused_and_not_kept(
    plugin: object, message: str, manager: Manager
) -> None:
    with pytest.raises(PluginError, match=message):
        manager.register(plugin, "broken")
    assert "broken" not in manager.plugins
    manager.check_pending()
    assert manager.prune("torch", 0, PRUNE).evidence == {"by": "torch"}


def test_a_misspelt_hook_is_answered_with_the_nearest_name(manager: Manager) -> None:
    with pytest.raises(PluginError) as caught:
        manager.register(Misspelt(), "broken")
    assert caught.value.problems[0].remedy == "did you mean `prune`?"


def test_two_plugins_of_one_name_are_refused(manager: Manager) -> None:
    with pytest.raises(PluginError, match="two plugins are named `torch`"):
        manager.register(Bare(), "torch")


class Point:
    """An entry point."""

    dist = None

    def __init__(self, name: str, plugin: object) -> None:
        self.name, self.value, self.plugin = name, f"{name}.plugin", plugin

    def load(self) -> object:
        if isinstance(self.plugin, Exception):
            raise self.plugin
        return self.plugin


class Raising:
    @hookimpl
    def register_components(self) -> Sequence[Component]:
        raise RuntimeError("not today")


def discover(monkeypatch: pytest.MonkeyPatch, *points: Point) -> Manager:
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points if group == "paredown" else ())
    return Manager.discover()


def test_a_plugin_that_does_not_load_is_noted_and_the_others_work(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Point("jax", ModuleNotFoundError("No module named 'flax'"))
    points = [Point("torch", Backend("torch")), broken, Point("odd", Misspelt()), Point("raising", Raising())]
    manager = discover(monkeypatch, *points, Point("torch", points[0].plugin))
    assert manager.registry.failed == ("jax", "odd", "raising")
    assert "raising" not in manager.plugins
    failure = manager.failures[0]
    assert (failure.name, failure.target) == ("jax", "jax.plugin")
    assert failure.reason == "ModuleNotFoundError: No module named 'flax'"
    assert "Traceback" in failure.traceback
    assert CALLS["save"](manager, "torch") == "torch"
    with pytest.raises(BackendMissing, match="the plugin `jax` did not load"):
        manager.require_backend("jax")


def test_our_own_entry_points_load() -> None:
    manager = Manager.discover()
    assert [failure.reason for failure in manager.failures] == []
    assert set(manager.registry.backends) == {"torch", "paddle"}
    assert {"digits", "fashion_mnist"} <= set(manager.registry.names("data"))
    assert manager.registry.names("runtime") == ("onnxruntime", "openvino", "paddle_inference")


def test_nobody_else_calls_pluggy() -> None:
    core = Path(hookspecs.__file__).parent
    users = [file.name for file in core.rglob("*.py") if "import pluggy" in file.read_text("utf-8")]
    assert sorted(users) == ["markers.py", "plugins.py"]
