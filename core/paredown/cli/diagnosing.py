"""`doctor`: what is installed, what is missing, and what mends it."""

from __future__ import annotations

import json
import platform
from typing import Any

import typer

from paredown.engine.provenance import versions
from paredown.manager import Manager, missing_distributions

_CORE = ("paredown", "pluggy", "pydantic", "numpy", "onnx", "onnxruntime", "onnxslim", "safetensors", "scikit-learn")
_FAILED = 3


def doctor(*, as_json: bool) -> int:
    """Prints the diagnosis; returns 3 when a plugin did not load, else 0."""
    manager = Manager.discover()
    found = diagnose(manager)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        _print(found)
    return _FAILED if manager.failures else 0


def diagnose(manager: Manager) -> dict[str, Any]:
    """Versions, backends with what they miss, and the plugins that did not load, as JSON values."""
    backends = {}
    for name, info in manager.registry.backends.items():
        missing = missing_distributions(info)
        backends[name] = {
            "title": info.title,
            "versions": versions(info.distributions),
            "missing": list(missing),
            "install": info.install if missing else None,
        }
    return {
        "python": platform.python_version(),
        "versions": versions(_CORE),
        "backends": backends,
        "failed_plugins": {failure.name: failure.traceback for failure in manager.failures},
    }


def _print(found: dict[str, Any]) -> None:
    typer.echo(f"python {found['python']}; " + ", ".join(f"{name} {is_}" for name, is_ in found["versions"].items()))
    for name, backend in found["backends"].items():
        known = ", ".join(f"{part} {is_}" for part, is_ in backend["versions"].items())
        if backend["missing"]:
            typer.echo(f"{name}: missing {', '.join(backend['missing'])}; install with: {backend['install']}")
        else:
            typer.echo(f"{name}: ready ({known})")
    for name, text in found["failed_plugins"].items():
        typer.echo(f"plugin {name} did not load:\n{text}")
