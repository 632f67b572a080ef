"""`validate`, `explain`, `init`, `schema` and `plugins`: everything that looks and does not run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from paredown import files
from paredown.errors import ArtifactError
from paredown.explain import Explanation, explain_backend
from paredown.manager import Manager
from paredown.spec.canonical import spec_hash
from paredown.spec.loader import load_spec, require_complete


def validate(path: Path, *, as_json: bool) -> None:
    """Checks a spec and says what it holds."""
    spec = load_spec(path, Manager.discover().registry)
    require_complete(spec)
    kinds = [str(getattr(step, "kind", "")) for step in spec.steps]
    if as_json:
        typer.echo(json.dumps({"valid": True, "name": spec.name, "steps": kinds, "hash": spec_hash(spec)}))
        return
    typer.echo(f"{path}: valid ({' > '.join(kinds) or 'no steps'}; {', '.join(spec.backends)})")


def explain(path: Path, backends: list[str] | None, *, as_json: bool) -> None:
    """Says what would be done on each backend."""
    manager = Manager.discover()
    spec = load_spec(path, manager.registry)
    require_complete(spec)
    explained = [explain_backend(manager, spec, name) for name in dict.fromkeys(backends or spec.backends)]
    if as_json:
        typer.echo(json.dumps([one.to_dict() for one in explained], indent=1))
        return
    typer.echo("\n\n".join(_explained(one) for one in explained))


def init(path: Path, *, force: bool) -> None:
    """Writes the commented spec."""
    from paredown.spec.template import TEMPLATE

    if path.exists() and not force:
        raise ArtifactError("the file exists", where=str(path), remedy="name another, or overwrite it with --force")
    files.write_text(path, TEMPLATE)
    typer.echo(f"{path} written; next: paredown validate {path}, then paredown compare {path}")


def schema() -> None:
    """Prints the JSON Schema."""
    typer.echo(json.dumps(Manager.discover().registry.json_schema(), indent=1))


def plugins(*, as_json: bool) -> None:
    """Lists what each plugin brings."""
    manager = Manager.discover()
    brought = {name: _brought(manager, name) for name in manager.plugins}
    if as_json:
        failed = {failure.name: failure.reason for failure in manager.failures}
        typer.echo(json.dumps({"plugins": brought, "failed": failed}, indent=1))
        return
    for name, parts in brought.items():
        typer.echo(name)
        for what, names in parts.items():
            typer.echo(f"  {what}: {', '.join(names)}")
    for failure in manager.failures:
        typer.echo(f"{failure.name}: did not load ({failure.reason}); `paredown doctor` shows the traceback")


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


def _explained(one: Explanation) -> str:
    lines = [f"{one.backend}: {one.state}"]
    for index, stage in enumerate(one.stages):
        lines.append(f"  {index}. {stage.what}")
        lines.extend(f"     {name}: {_text(value)}" for name, value in stage.settings.items())
    return "\n".join(lines)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
