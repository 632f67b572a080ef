"""`validate`, `init`, `schema` and `plugins`: everything that looks and does not run."""

from __future__ import annotations

import json
from argparse import Namespace

from paredown.manager import Manager
from paredown.spec.loader import load_spec, require_complete


def validate(given: Namespace) -> int:
    """Checks a spec and says what it holds."""
    spec = load_spec(given.spec, Manager.discover().registry)
    require_complete(spec)
    if spec.model is not None and spec.model.kind == "builder":
        from paredown.engine.code import require_code
        from paredown.engine.trust import trusting

        require_code(spec, spec.backends, trusting(given.trust, given.spec.resolve().parent))
    kinds = [str(getattr(step, "kind", "")) for step in spec.steps]
    if given.json:
        from paredown.spec.canonical import spec_hash

        facts = {"valid": True, "name": spec.name, "steps": kinds, "backends": spec.backends, "seeds": spec.seeds}
        print(json.dumps({**facts, "hash": spec_hash(spec)}))
        return 0
    print(f"{given.spec}: valid ({' > '.join(kinds) or 'no steps'}; {', '.join(spec.backends)})")
    return 0


def init(given: Namespace) -> int:
    """Writes the commented spec."""
    from paredown import files
    from paredown.errors import ArtifactError
    from paredown.spec.template import TEMPLATE

    if given.path.exists() and (given.path.is_dir() or not given.force):
        kind = "a directory of this name" if given.path.is_dir() else "the file"
        remedy = "name another" if given.path.is_dir() else "name another, or overwrite it with --force"
        raise ArtifactError(f"{kind} exists", where=str(given.path), expected="a new file", remedy=remedy)
    files.write_text(given.path, TEMPLATE)
    print(f"{given.path} written; next: paredown validate {given.path}, then paredown compare {given.path}")
    return 0


def schema(given: Namespace) -> int:  # noqa: ARG001 - every command takes the arguments
    """Prints the JSON Schema."""
    print(json.dumps(Manager.discover().registry.json_schema(), indent=1))
    return 0


def plugins(given: Namespace) -> int:
    """Lists what each plugin brings."""
    manager = Manager.discover()
    assert manager.registry
    brought = {name: _brought(manager, name) for name in manager.plugins}
    if given.json:
        failed = {failure.name: failure.reason for failure in manager.failures}
        print(json.dumps({"plugins": brought, "failed": failed}, indent=1))
        return 0
    for name, parts in brought.items():
        print(name)
        for what, names in parts.items():
            print(f"  {what}: {', '.join(names)}")
    for failure in manager.failures:
        print(f"{failure.name}: did not load ({failure.reason}); `paredown doctor` shows the traceback")
    return 0


def _brought(manager: Manager, plugin: str) -> dict[str, list[str]]:
    registry = manager.registry
    parts: dict[str, list[str]] = {
        "backend": [name for name in registry.backends if registry.backend_owner(name) == plugin],
        "step": [name for name in registry.steps if registry.step_owner(name) == plugin],
    }
    for entry in registry.components.values():
        if entry.owner == plugin:
            parts.setdefault(entry.slot, []).append(entry.name)
        for backend, (_, owner) in entry.backends.items():
            if owner == plugin:
                parts.setdefault(f"{entry.slot} for {backend}", []).append(entry.name)
    parts["hooks"] = list(manager.capabilities(plugin))
    return {what: names for what, names in parts.items() if names}
