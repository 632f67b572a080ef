"""What is installed: backends, kinds of step and components, each with the plugin that owns it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast, get_args

from pydantic import BaseModel

from paredown.contracts import BackendInfo, Component, RefusedNetwork, StepKind
from paredown.errors import ComponentMissing, PluginError, UnsupportedError
from paredown.implementations import import_attribute
from paredown.spec.base import Frozen
from paredown.spec.models import Spec
from paredown.spec.nearest import listed, suggestion
from paredown.spec.rebuild import Rebuilder, find_slots
from paredown.spec.widths import Widths

STEP = "step"


@dataclass(frozen=True, slots=True)
class Entry:
    """One component: who declares it, its options, and where it is implemented.

    `backends` holds for each backend the implementation and the plugin that gives it. `distributions` and `install` are
    the packages that it needs; `granularities`, `weights` and `needs` are a criterion's, `reads` and `guided_by` are a
    loss's, `loss`, `outputs` and `output_losses` are a task's. See `Component`.
    """

    slot: str
    name: str
    config: type[Frozen]
    owner: str
    implementation: str | None
    backends: dict[str, tuple[str, str]] = field(default_factory=dict)
    granularities: tuple[str, ...] = ("channel",)
    weights: str | None = None
    needs: tuple[str, ...] = ()
    reads: str = "outputs"
    guided_by: tuple[str, ...] = ()
    loss: str = "hard_label"
    outputs: str = "classes"
    output_losses: tuple[str, ...] | None = None
    distributions: tuple[str, ...] = ()
    install: str = ""


@dataclass(slots=True)
class _Claims:
    """What plugins said, before it is put together."""

    backends: dict[str, tuple[BackendInfo, str]] = field(default_factory=dict)
    steps: dict[str, tuple[StepKind, str]] = field(default_factory=dict)
    components: list[tuple[Component, str]] = field(default_factory=list)


class Registry:
    """Everything that a spec may name. Plugins are added first; the first question puts the whole together.

    Args:
        failed: Names of plugins that are installed and did not load; messages about unknown names mention them.
    """

    def __init__(self, failed: tuple[str, ...] = ()) -> None:
        self._claims = _Claims()
        self._failed = failed

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of plugins that are installed and did not load."""
        return self._failed

    def add_backend(self, info: BackendInfo, owner: str) -> None:
        """Notes a backend; raises `PluginError` when another plugin has it."""
        earlier = self._claims.backends.get(info.name)
        if earlier is not None:
            raise _claimed_twice(f"the backend `{info.name}`", earlier[1], owner)
        self._claims.backends[info.name] = (info, owner)
        self._forget()

    def add_step(self, step: StepKind, owner: str) -> None:
        """Notes a kind of step; raises `PluginError` when another plugin has it or its model does not narrow `kind`."""
        _require_kind(step.config, step.name, owner)
        earlier = self._claims.steps.get(step.name)
        if earlier is not None:
            raise _claimed_twice(f"the step kind `{step.name}`", earlier[1], owner)
        self._claims.steps[step.name] = (step, owner)
        self._forget()

    def add_component(self, component: Component, owner: str) -> None:
        """Notes a component, or a backend's implementation of one that another plugin declares.

        Raises:
            PluginError: Its options do not narrow `kind` or lack what `needs` asks for, or it has neither options nor a
                backend.
        """
        if component.config is not None:
            _require_kind(component.config, component.name, owner)
            _require_samples(component, component.config, owner)
        elif component.backend is None:
            raise PluginError(
                f"plugin `{owner}` gives the {component.slot} `{component.name}` neither options nor a backend",
                value=component.implementation,
                expected="`config` to declare a component, `backend` to implement one that another plugin declares",
                remedy="set `config` to a pydantic model of its options",
            )
        self._claims.components.append((component, owner))
        self._forget()

    @property
    def backends(self) -> Mapping[str, BackendInfo]:
        """The backends by name."""
        return {name: info for name, (info, _) in self._claims.backends.items()}

    def backend_models(self) -> Mapping[str, tuple[str, ...]]:
        """Every backend with the names of the networks that it can build."""
        return {name: info.models for name, info in self.backends.items()}

    def backend_libraries(self) -> Mapping[str, tuple[str, ...]]:
        """Every backend with the kinds of `model` that it builds besides those of the zoo and of a user's code."""
        return {name: tuple(info.libraries) for name, info in self.backends.items()}

    def backend_widths(self) -> Mapping[str, Mapping[str, Widths]]:
        """Every backend with the networks that it builds at other widths than 1, and those that each takes."""
        return {name: info.widths for name, info in self.backends.items()}

    def backend_outputs(self) -> Mapping[str, Mapping[str, str]]:
        """Every backend with what its networks return that return no `classes`."""
        return {name: info.outputs for name, info in self.backends.items()}

    def backend_refused(self) -> Mapping[str, Mapping[str, RefusedNetwork]]:
        """Every backend with the networks that it refuses by name."""
        return {name: info.refused for name, info in self.backends.items()}

    def label_loss(self, task: str) -> str:
        """The name of the loss on the labels that networks are trained with for a task."""
        return self.components["task", task].loss

    def backend_owner(self, name: str) -> str:
        """The name of the plugin that is a backend."""
        return self._claims.backends[name][1]

    @property
    def steps(self) -> Mapping[str, StepKind]:
        """The kinds of step by name."""
        return {name: step for name, (step, _) in self._claims.steps.items()}

    def step_owner(self, name: str) -> str:
        """The name of the plugin that owns a kind of step."""
        return self._claims.steps[name][1]

    @cached_property
    def components(self) -> Mapping[tuple[str, str], Entry]:
        """The components by (slot, name), with the backends' implementations merged in.

        Raises:
            PluginError: Two plugins claim one name, a backend implements what nobody declares, or no field of any spec
                takes a component's slot.
        """
        entries: dict[tuple[str, str], Entry] = {}
        for component, owner in self._claims.components:
            if component.config is not None:
                _declare(entries, component, owner)
        for component, owner in self._claims.components:
            if component.backend is not None:
                _implement(entries, component, owner)
        self._require_known_slots(entries)
        return entries

    def names(self, slot: str) -> tuple[str, ...]:
        """The names that a slot takes, in the order of registration; `step` is a slot too."""
        return tuple(self._models(slot))

    def implementation(self, slot: str, name: str, backend: str | None = None) -> Any:
        """Imports a component: its neutral implementation, or a backend's own. One never stands in for the other.

        Raises:
            UnsupportedError: Nothing implements it for `backend`, or it has no neutral implementation.
            PluginError: There is no such component, or its implementation cannot be imported.
            ComponentMissing: It needs packages that are not installed; the remedy is the command that installs them.
        """
        entry = self.components.get((slot, name))
        if entry is None:
            known = self.names(slot)
            what = f"there is no {slot} `{name}`"
            raise PluginError(what, value=name, expected=f"one of {listed(known)}", remedy=suggestion(name, known))
        if backend is None and entry.implementation is not None:
            _require_distributions(entry)
            return import_attribute(entry.implementation, entry.owner)
        if backend is not None and backend in entry.backends:
            return import_attribute(*entry.backends[backend])
        raise UnsupportedError(
            f"nothing implements the {slot} `{name}`" + (f" for `{backend}`" if backend else " in NumPy"),
            value=name,
            expected=f"an implementation; there are those for {listed(entry.backends)}",
            remedy=f"choose another {slot}, or install a plugin that implements `{name}`"
            + (f" for `{backend}`" if backend else ""),
        )

    def weight_criterion(self, name: str) -> Any:
        """Imports the part of a criterion that scores single weights.

        Raises:
            UnsupportedError: The criterion scores channels only.
        """
        entry = self.components["criterion", name]
        target = entry.weights or (None if "channel" in entry.granularities else entry.implementation)
        if target is None:
            fitting = [one.name for one in self.components.values() if {"weight", "n_m"} & set(one.granularities)]
            raise UnsupportedError(
                f"the criterion `{name}` scores channels, not single weights",
                where="criterion.kind",
                value=name,
                expected=f"one of {listed(fitting)}",
                remedy="choose another criterion, or `granularity: channel`",
            )
        return import_attribute(target, entry.owner)

    def has_implementation(self, slot: str, name: str, backend: str | None = None) -> bool:
        """Whether `implementation` knows where to import from."""
        entry = self.components.get((slot, name))
        return entry is not None and (backend in entry.backends if backend else entry.implementation is not None)

    def spec_model(self) -> type[Spec]:
        """The spec's model, every slot a union of what is installed; a subclass of `Spec`."""
        return self._spec_model

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of a spec, the plugins' kinds included; a fresh copy."""
        return copy.deepcopy(self._json_schema)

    @cached_property
    def _spec_model(self) -> type[Spec]:
        self._require_known_slots(self.components)
        return cast("type[Spec]", Rebuilder(self._models).model(Spec))

    @cached_property
    def _json_schema(self) -> dict[str, Any]:
        schema = self._spec_model.model_json_schema()
        head = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Spec",
            "description": schema.pop("description"),
        }
        return head | schema

    def _forget(self) -> None:
        for built in ("components", "_spec_model", "_json_schema"):
            self.__dict__.pop(built, None)

    def _models(self, slot: str) -> Mapping[str, type[BaseModel]]:
        if slot == STEP:
            return {name: step.config for name, step in self.steps.items()}
        return {entry.name: entry.config for entry in self.components.values() if entry.slot == slot}

    def _require_known_slots(self, entries: Mapping[tuple[str, str], Entry]) -> None:
        models = [Spec, *(step.config for step in self.steps.values()), *(entry.config for entry in entries.values())]
        known = sorted(set().union(*map(find_slots, models)) - {STEP})
        for entry in entries.values():
            if entry.slot not in known:
                raise PluginError(
                    f"plugin `{entry.owner}` supplies `{entry.name}` for the slot `{entry.slot}`, which no spec has",
                    value=entry.slot,
                    expected=f"one of {listed(known)}",
                    remedy=suggestion(entry.slot, known),
                )


def _declare(entries: dict[tuple[str, str], Entry], component: Component, owner: str) -> None:
    assert component.config is not None
    key = (component.slot, component.name)
    if key in entries:
        raise _claimed_twice(f"the {component.slot} `{component.name}`", entries[key].owner, owner)
    neutral = component.implementation if component.backend is None else None
    entries[key] = Entry(
        *key,
        component.config,
        owner,
        neutral,
        granularities=component.granularities,
        weights=component.weights,
        needs=component.needs,
        reads=component.reads,
        guided_by=component.guided_by,
        loss=component.loss,
        outputs=component.outputs,
        output_losses=component.output_losses,
        distributions=component.distributions,
        install=component.install,
    )


def _implement(entries: Mapping[tuple[str, str], Entry], component: Component, owner: str) -> None:
    assert component.backend is not None
    entry = entries.get((component.slot, component.name))
    if entry is None:
        known = [name for slot, name in entries if slot == component.slot]
        raise PluginError(
            f"plugin `{owner}` implements the {component.slot} `{component.name}`, which no plugin declares",
            value=component.name,
            expected=f"one of {listed(known)}, or `config` with its options",
            remedy=suggestion(component.name, known),
        )
    if component.backend in entry.backends:
        what = f"the {component.slot} `{component.name}` for `{component.backend}`"
        raise _claimed_twice(what, entry.backends[component.backend][1], owner)
    entry.backends[component.backend] = (component.implementation, owner)


def _require_distributions(entry: Entry) -> None:
    missing = not_installed(entry.distributions)
    if missing:
        raise ComponentMissing(
            f"the {entry.slot} `{entry.name}` is not installed",
            value=f"without {listed(missing)}",
            expected=f"the packages {listed(entry.distributions)}",
            remedy=entry.install or f"install {listed(missing)}",
        )


def not_installed(distributions: Iterable[str]) -> tuple[str, ...]:
    """Those of the packages that are not installed."""
    from importlib.metadata import PackageNotFoundError, version

    missing = []
    for distribution in distributions:
        try:
            version(distribution)
        except PackageNotFoundError:
            missing.append(distribution)
    return tuple(missing)


def _require_kind(config: type[BaseModel], name: str, owner: str) -> None:
    kind = config.model_fields.get("kind")
    if not issubclass(config, Frozen) or kind is None or get_args(kind.annotation) != (name,):
        raise PluginError(
            f"plugin `{owner}`: the options of `{name}` do not narrow `kind` to its name",
            value=config.__name__,
            expected=f'a subclass of `Frozen` or `ComponentConfig` with `kind: Literal["{name}"] = "{name}"`',
            remedy=f"declare `kind` so in {config.__name__}",
        )


def _require_samples(component: Component, config: type[BaseModel], owner: str) -> None:
    missing = [name for name in ("samples", "batch_size") if name not in config.model_fields]
    if component.needs and missing:
        raise PluginError(
            f"plugin `{owner}`: the options of `{component.name}` do not say on how many images {component.needs[0]}"
            " are measured",
            value=f"{config.__name__} without {listed(missing)}",
            expected="the options `samples` and `batch_size` of a component that has `needs`",
            remedy=f"add `samples: PositiveInt = 512` and `batch_size: PositiveInt = 64` to {config.__name__}",
        )


def _claimed_twice(what: str, first: str, second: str) -> PluginError:
    owners = f"plugin `{first}` claims it twice" if first == second else f"plugins `{first}` and `{second}`"
    return PluginError(
        f"{what} is claimed twice: {owners}",
        value=f"{first}, {second}",
        expected="one owner for each name",
        remedy=f"uninstall `{first}` or `{second}`, or rename one of the two",
    )
