"""What stands for the user's own code in keys: digests of files, found without importing anything."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from paredown.engine.locating import locate
from paredown.engine.trust import Trust, module_of
from paredown.spec.models import BuilderModel, Spec

_INSTALLED = frozenset(("site-packages", "dist-packages"))
"""Directories of what is installed, which may lie within the spec's directory."""


def code_digest(reference: str, model: BuilderModel, trust: Trust) -> str:
    """SHA-256 of the function's name and options, and of the sources that the network may be built from.

    These are all files of the function's package and of what is trusted, loaded or not, and other loaded modules that
    lie in the spec's directory.
    """
    content = hashlib.sha256(json.dumps([reference, model.options], sort_keys=True).encode())
    module = module_of(reference)
    content.update(_of_modules({module, *trust.modules}, trust))
    root = trust.directory.resolve() if trust.directory is not None else None
    for name, loaded in sorted(sys.modules.items()):
        file = getattr(loaded, "__file__", None)
        if root is None or not isinstance(file, str) or not file.endswith(".py"):
            continue
        is_counted = trust.loads(name) or name.partition(".")[0] in (module.partition(".")[0], "paredown")
        path = Path(file)
        beside = root in path.parents and not _INSTALLED.intersection(path.parts)
        if beside and not is_counted and path.is_file():
            content.update(name.encode())
            content.update(path.read_bytes())
    return content.hexdigest()


def code_of_others(spec: Spec, backends: Sequence[str], trust: Trust) -> dict[str, str]:
    """SHA-256 of the sources from which other backends, which train for this one, build the spec's network.

    Nothing is imported: two frameworks in one process hurt each other.
    """
    if not isinstance(spec.model, BuilderModel):
        return {}
    references = {name: one for name, one in spec.model.references().items() if name in backends}
    return {
        name: hashlib.sha256(
            reference.encode() + _of_modules({module_of(reference), *trust.modules}, trust)
        ).hexdigest()
        for name, reference in sorted(references.items())
    }


def package_digest(spec: Spec, backend: str, trust: Trust) -> dict[str, str] | None:
    """The package of the function that builds the spec's network, or its module in none, and SHA-256 of its sources.

    None where the spec names no function for this backend, or one that is nowhere. Functions for two backends may share
    a package.
    """
    reference = spec.model.references().get(backend) if isinstance(spec.model, BuilderModel) else None
    if reference is None or not any(_sources(module_of(reference), trust)):
        return None
    module = module_of(reference)
    return {"name": module.partition(".")[0], "digest": _of_modules({module}, trust).hex()}


def _of_modules(modules: Iterable[str], trust: Trust) -> bytes:
    content = hashlib.sha256()
    files = {name: path for module in modules for name, path in _sources(module, trust)}
    for name, path in sorted(files.items()):
        content.update(name.encode())
        content.update(hashlib.sha256(path.read_bytes()).digest())
    return content.digest()


def _sources(module: str, trust: Trust) -> Iterator[tuple[str, Path]]:
    """The files of a module's whole package, or of a module that lies in none, by their places in it."""
    found = locate(module, trust).module
    origin = Path(found.origin) if found is not None and found.origin is not None else None
    if origin is None or not origin.is_file():
        return
    inner = module.count(".") + (origin.name == "__init__.py")
    root = origin.parents[inner]
    yield origin.relative_to(root).as_posix(), origin
    for path in origin.parents[inner - 1].rglob("*.py") if inner else ():
        name = path.relative_to(root)
        if path.is_file() and not _INSTALLED.intersection(name.parts):
            yield name.as_posix(), path
