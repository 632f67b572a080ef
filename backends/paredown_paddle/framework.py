"""Paddle and PaddleSlim, imported without the warnings that say nothing about the network at hand."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

_NOISE = (
    "No ccache found",  # Paddle looks for a compiler cache when it is imported
    "pkg_resources is deprecated",  # PaddleSlim imports it
    "Deprecated call to `pkg_resources",  # and it declares its namespaces
    "Setuptools is replacing distutils",  # PaddleSlim imports distutils before setuptools
    "invalid escape sequence",  # PaddleSlim's docstrings, when they are first compiled
    "(?s).*The behavior of expression A . B has been unified",  # tracing under the old IR
    "When training, we now always track global mean",  # BatchNorm, in every training step
)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps the known noise of importing and tracing off the screen; every other warning is shown."""
    with warnings.catch_warnings():
        for message in _NOISE:
            warnings.filterwarnings("ignore", message=message)
        yield


with quiet():
    import paddle


def import_paddleslim() -> Any:
    """PaddleSlim, its loggers turned down to warnings; imported late because it takes seconds."""
    with quiet():
        import paddleslim
        import paddleslim.dygraph.prune
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("paddleslim"):
            logging.getLogger(name).setLevel(logging.ERROR)
    return paddleslim


def last_line(error: BaseException) -> str:
    """What went wrong, without the traceback that Paddle puts into the messages of its tracing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1] if lines else 'no message'}"


__all__ = ["import_paddleslim", "last_line", "paddle", "quiet"]
