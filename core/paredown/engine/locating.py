"""Where a module that a spec names lies, found without importing anything; and how it is imported from there."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from paredown.engine.trust import Trust


@dataclass(frozen=True, slots=True)
class Location:
    """A module as found, or None; the packages around it by name, outermost first; whether it lies beside the spec."""

    module: ModuleSpec | None
    packages: Mapping[str, ModuleSpec] = field(default_factory=dict)
    beside: bool = False

    @property
    def is_code(self) -> bool:
        """Whether something was found that is more than a directory of no package."""
        return self.module is not None and self.module.origin is not None


def locate(module: str, trust: Trust) -> Location:
    """Where a module lies, without importing its packages, as `importlib.util.find_spec` would.

    The spec's directory comes after all that Python finds by itself, editable installs among it.
    """
    importlib.invalidate_caches()
    installed = _installed(module)
    if installed.is_code or trust.directory is None:
        return installed
    beside = _with_directory(module, trust.directory)
    return replace(beside, beside=True) if beside.is_code else installed


@contextlib.contextmanager
def importable(trust: Trust) -> Iterator[None]:
    """Lets trusted modules be imported from the spec's directory where only that has them, and leaves no bytecode.

    The directory stays out of Python's path: what any module tries to import and lacks (`try: import accimage`) would
    be taken from a stranger's files.
    """
    finder = _BesideSpec(trust)
    written = sys.dont_write_bytecode
    sys.meta_path.insert(0, finder)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = written
        sys.meta_path.remove(finder)


class _BesideSpec:
    """Finds trusted modules that lie beside a spec and nowhere else, and the bare directories around them."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - places are worked out here, for bare directories too
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """The module, or None for the finders behind this one."""
        is_trusted = self._trust.loads(fullname)
        is_around = any(package.startswith(f"{fullname}.") for package in self._trust.modules)
        directory = self._trust.directory
        if directory is None or not (is_trusted or is_around):
            return None
        installed, beside = _installed(fullname), _with_directory(fullname, directory)
        if installed.is_code or beside.module is None or (beside.is_code and not is_trusted):
            return None
        if beside.is_code:
            around = beside.packages.get(fullname.rpartition(".")[0])
            places = _places(around) if around is not None else [*sys.path, str(directory)]
            return PathFinder.find_spec(fullname, places)
        bare = ModuleSpec(fullname, None, is_package=True)
        # Of a directory that is only around a trusted module nothing else is to be found.
        bare.submodule_search_locations = _places(beside.module if is_trusted else installed.module)
        return bare


def _places(package: ModuleSpec | None) -> list[str]:
    return [] if package is None else list(package.submodule_search_locations or ())


def _installed(module: str) -> Location:
    """A module as Python's finders find it.

    `importlib.util.find_spec` would look at loaded modules first, which may have come from the spec's directory.
    """
    first = module.partition(".")[0]
    finders = (finder for finder in sys.meta_path if not isinstance(finder, _BesideSpec))
    found = (finder.find_spec(first, None) for finder in finders)
    return _within(module, next((one for one in found if one is not None), None))


def _with_directory(module: str, directory: Path) -> Location:
    """A module as it is found on Python's path with the spec's directory at its end."""
    first = module.partition(".")[0]
    return _within(module, PathFinder.find_spec(first, [*sys.path, str(directory)]))


def _within(module: str, top: ModuleSpec | None) -> Location:
    """A module in the package that was found for its first part."""
    parts = module.split(".")
    packages: dict[str, ModuleSpec] = {}
    found = top
    for index, part in enumerate(parts[1:], start=1):
        if found is None or found.submodule_search_locations is None:
            return Location(None)
        packages[".".join(parts[:index])] = found
        # By its last part: with the whole name Python looks for the packages around it among the loaded ones.
        found = PathFinder.find_spec(part, list(found.submodule_search_locations))
    return Location(found, packages)
