"""Where a module that a spec names lies, found without importing anything; and how it is imported from there."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.machinery import ModuleSpec, PathFinder

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
    first = module.partition(".")[0]
    installed = _within(module, _find(first))
    if installed.is_code or trust.directory is None:
        return installed
    beside = _within(module, PathFinder.find_spec(first, [*sys.path, str(trust.directory)]))
    return replace(beside, beside=True) if beside.is_code else installed


@contextlib.contextmanager
def importable(module: str, trust: Trust) -> Iterator[None]:
    """Lets a module be imported, from the spec's directory where only that has it, and leaves no bytecode.

    For one that is installed the directory stays out: what such a module tries to import and lacks (`try: import
    accimage`) would be taken from a stranger's files.
    """
    directory = str(trust.directory)
    added = locate(module, trust).beside and directory not in sys.path
    written = sys.dont_write_bytecode
    if added:
        sys.path.append(directory)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = written
        if added:
            sys.path.remove(directory)


def _find(name: str) -> ModuleSpec | None:
    """A module or package at the top as Python's finders find it.

    `importlib.util.find_spec` would look at loaded modules first, which may have come from the spec's directory.
    """
    for finder in sys.meta_path:
        found = finder.find_spec(name, None)
        if found is not None:
            return found
    return None


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
