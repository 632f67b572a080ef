"""paredown: write a compression spec once; run it on PyTorch or PaddlePaddle; see both side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paredown.api import Compressed as Compressed
    from paredown.api import compare as compare
    from paredown.api import compress as compress
    from paredown.api import load as load
    from paredown.api import load_spec as load_spec
    from paredown.api import run as run
    from paredown.errors import ParedownError as ParedownError
    from paredown.markers import hookimpl as hookimpl
    from paredown.markers import hookspec as hookspec
    from paredown.results import Comparison as Comparison
    from paredown.results import RunResult as RunResult
    from paredown.spec.models import Spec as Spec

_HOME = {
    "Compressed": "paredown.api",
    "compare": "paredown.api",
    "compress": "paredown.api",
    "load": "paredown.api",
    "load_spec": "paredown.api",
    "run": "paredown.api",
    "ParedownError": "paredown.errors",
    "hookimpl": "paredown.markers",
    "hookspec": "paredown.markers",
    "Comparison": "paredown.results",
    "RunResult": "paredown.results",
    "Spec": "paredown.spec.models",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: `import paredown` alone costs nothing."""
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module 'paredown' has no attribute {name!r}")
    module = import_module(_HOME[name])
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
