"""`doctor`: what is installed, what is missing, and what mends it."""

from __future__ import annotations

import json
import platform
from argparse import Namespace
from typing import Any

from paredown.engine.provenance import versions
from paredown.errors import PluginError
from paredown.manager import Manager, missing_distributions

_CORE = ("paredown", "pluggy", "pydantic", "numpy", "onnx", "onnxruntime", "onnxslim", "safetensors", "scikit-learn")
_FAILED = 3


def doctor(given: Namespace) -> int:
    """Prints the diagnosis; returns 3 when a plugin did not load or two claim one name, else 0."""
    found = diagnose(Manager.discover())
    if given.json:
        print(json.dumps(found, indent=1))
    else:
        print("\n".join(_lines(found)))
    return _FAILED if found["failed_plugins"] or found["conflict"] else 0


def diagnose(manager: Manager) -> dict[str, Any]:
    """Versions, backends with what they miss, and the plugins that did not load, as JSON values.

    `conflict` is the error of plugins that cannot be put together: then nothing runs, and no backend can be named.
    """
    backends, conflict = {}, None
    try:
        for name, info in manager.registry.backends.items():
            missing = missing_distributions(info)
            backends[name] = {
                "title": info.title,
                "versions": versions(info.distributions),
                "missing": list(missing),
                "install": info.install if missing else None,
            }
    except PluginError as error:
        conflict = str(error)
    return {
        "python": platform.python_version(),
        "versions": versions(_CORE),
        "missing": [name for name in _CORE if name not in versions(_CORE)],
        "plugins": sorted(manager.plugins),
        "backends": backends,
        "conflict": conflict,
        "failed_plugins": {failure.name: failure.traceback for failure in manager.failures},
    }


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [f"python {found['python']}; " + _versions(found["versions"])]
    if found["missing"]:
        lines.append(f"core: missing {', '.join(found['missing'])}; install with: pip install paredown")
    for name, backend in found["backends"].items():
        if backend["missing"]:
            lines.append(f"{name}: missing {', '.join(backend['missing'])}; install with: {backend['install']}")
        else:
            lines.append(f"{name}: ready ({_versions(backend['versions'])})")
    if found["conflict"]:
        lines.append(f"the plugins {', '.join(found['plugins'])} cannot be put together:\n{found['conflict']}")
    elif not found["backends"]:
        lines.append("no backend is installed; install one with: pip install paredown")
    lines += [f"plugin {name} did not load:\n{text}" for name, text in found["failed_plugins"].items()]
    return lines


def _versions(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())
