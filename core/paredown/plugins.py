"""Finding plugins and asking them: the one place that touches pluggy."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

import pluggy

from paredown import builtin, hookspecs
from paredown.errors import PluginError
from paredown.markers import PROJECT
from paredown.registry import Registry
from paredown.spec.nearest import listed, nearest

CORE: Final = "core"
"""The name of core's own plugin."""

_NOT_A_CAPABILITY = frozenset({"register_backend", "register_steps", "register_components", "on_step_end"})


@dataclass(frozen=True, slots=True)
class Failure:
    """A plugin that did not load: its name, the module it named, the error in one line, and its traceback."""

    name: str
    target: str
    reason: str
    traceback: str


class PluginSet:
    """Core's plugin and those that were found or registered, with the registry of what they supply."""

    def __init__(self) -> None:
        self._pm = pluggy.PluginManager(PROJECT)
        self._pm.add_hookspecs(hookspecs)
        self._failures: list[Failure] = []
        self._registry: Registry | None = None
        self._targets: dict[str, str] = {}
        self._versions: dict[str, tuple[str, str]] = {}
        self.register(builtin, CORE)

    @classmethod
    def discover(cls) -> Self:
        """Core and every entry point of the group `paredown`; one that fails is noted in `failures`."""
        from importlib.metadata import entry_points

        manager = cls()
        points = {(point.name, point.value): point for point in entry_points(group=PROJECT)}
        for (name, target), point in sorted(points.items()):
            manager._targets.setdefault(name, target)
            if point.dist is not None:
                manager._versions[name] = (point.dist.name, point.dist.version)
            try:
                manager.register(point.load(), name)
            except Exception as error:  # a stranger's module may raise anything
                manager._note_failure(name, target, error)
        return manager

    def versions_for(self, kinds: set[str]) -> dict[str, str]:
        """The distributions, with versions, of the plugins that own components or steps of these kinds."""
        registry = self.registry
        owners = {entry.owner for entry in registry.components.values() if entry.name in kinds}
        owners |= {registry.step_owner(name) for name in registry.steps if name in kinds}
        return dict(self._versions[owner] for owner in sorted(owners) if owner in self._versions)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The plugins that did not load."""
        return tuple(self._failures)

    @property
    def plugins(self) -> dict[str, object]:
        """The plugins by name, core's own among them."""
        return {name: plugin for name, plugin in self._pm.list_name_plugin() if plugin is not None}

    def register(self, plugin: object, name: str) -> None:
        """Adds a plugin: a module or an object with functions marked `hookimpl`.

        Raises:
            PluginError: The name is taken, or a function implements no hook, or takes what its hook does not give.
        """
        if name in self.plugins:
            raise PluginError(
                f"two plugins are named `{name}`",
                value=repr(plugin),
                expected="a name of its own for each plugin",
                remedy=f"rename the entry point, or uninstall one of the two (`{name}`)",
            )
        self._registry = None
        try:
            self._pm.register(plugin, name)
            self._pm.check_pending()
        except Exception as error:  # pluggy's own errors, and what a plugin's attributes raise when they are looked at
            if self._pm.has_plugin(name):
                self._pm.unregister(name=name)
            raise self._broken_contract(plugin, name, error) from error

    def check_pending(self) -> None:
        """Refuses implementations of hooks that do not exist; `register` has done so for each plugin."""
        try:
            self._pm.check_pending()
        except pluggy.PluginValidationError as error:
            raise self._broken_contract(error.plugin, str(self._pm.get_name(error.plugin)), error) from error

    @property
    def registry(self) -> Registry:
        """What the plugins supply.

        Raises:
            PluginError: Two plugins claim one name, or one breaks the contract of its components.
        """
        if self._registry is None:
            self._registry = self._build_registry()
        return self._registry

    def capabilities(self, plugin: str) -> tuple[str, ...]:
        """The hooks that a plugin implements, the announcing ones apart."""
        callers = self._pm.get_hookcallers(self.plugins[plugin]) or []
        return tuple(sorted({caller.name for caller in callers} - _NOT_A_CAPABILITY))

    def ask(self, hook: str, backend: str, arguments: dict[str, Any]) -> Any:
        """Calls a hook of a backend's plugin and of the plugins that are no backend; other backends are not asked."""
        caller = self._pm.subset_hook_caller(hook, remove_plugins=self._other_backends(backend))
        return caller(backend=backend, **arguments)

    def tell(self, hook: str, arguments: dict[str, Any]) -> list[Any]:
        """Calls a hook of every plugin; the answers come in the order of registration."""
        answers: list[Any] = getattr(self._pm.hook, hook)(**arguments)
        return answers[::-1]

    def _other_backends(self, backend: str) -> Iterable[object]:
        registry, plugins = self.registry, self.plugins
        return [plugins[registry.backend_owner(name)] for name in registry.backends if name != backend]

    def _build_registry(self) -> Registry:
        """Asks each plugin by itself, so that every kind has an owner; a plugin that raises is put aside."""
        announced = {name: self._announce(name) for name in self.plugins}
        registry = Registry(tuple(failure.name for failure in self._failures))
        for name, announcement in announced.items():
            if announcement is None:
                continue
            backends, steps, components = announcement
            for info in backends:
                registry.add_backend(info, name)
            for step in steps:
                registry.add_step(step, name)
            for component in components:
                registry.add_component(component, name)
        assert registry.components is not None
        self._put_backends_last(registry)
        return registry

    def _announce(self, name: str) -> tuple[list[Any], list[Any], list[Any]] | None:
        others = [plugin for other, plugin in self.plugins.items() if other != name]
        try:
            backends, steps, components = (
                self._pm.subset_hook_caller(hook, remove_plugins=others)()
                for hook in ("register_backend", "register_steps", "register_components")
            )
        except Exception as error:  # a stranger's hook may raise anything
            self._pm.unregister(name=name)
            self._note_failure(name, self._targets.get(name, name), error)
            return None
        return backends, [step for batch in steps for step in batch], [part for batch in components for part in batch]

    def _put_backends_last(self, registry: Registry) -> None:
        """Pluggy asks the last registered first: a backend answers before plugins that fill its gaps."""
        for name in registry.backends:
            owner = registry.backend_owner(name)
            plugin = self._pm.unregister(name=owner)
            self._pm.register(plugin, owner)

    def _note_failure(self, name: str, target: str, error: Exception) -> None:
        text = "".join(traceback.format_exception(error))
        self._failures.append(Failure(name, target, f"{type(error).__name__}: {error}".splitlines()[0], text))

    def _broken_contract(self, plugin: object, name: str, error: Exception) -> PluginError:
        wrong = [
            function
            for function in dir(plugin)
            if self._pm.parse_hookimpl_opts(plugin, function) is not None and function not in _specified()
        ]
        near = next((found for function in wrong if (found := nearest(function, _specified()))), None)
        return PluginError(
            f"plugin `{name}` breaks the contract of the hooks: {error}",
            value=", ".join(wrong) or repr(plugin),
            expected=f"implementations of {listed(sorted(_specified()))}",
            remedy=f"did you mean `{near}`?" if near else "compare its functions with `paredown.hookspecs`",
        )


def _specified() -> set[str]:
    return {name for name, value in vars(hookspecs).items() if hasattr(value, f"{PROJECT}_spec")}
