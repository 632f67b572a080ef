"""Recording what holds and what does not, without stopping at the first failure."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class CheckFailed(Exception):
    """A check ran to its end and found something else than it must."""


class Recorder:
    """The outcome of each check (True, or what went wrong) and the seconds that each took."""

    def __init__(self) -> None:
        self.outcomes: dict[str, bool | str] = {}
        self.seconds: dict[str, float] = {}

    @contextmanager
    def check(self, name: str) -> Iterator[None]:
        """Runs a check. Whatever it raises is its outcome; the traceback goes to standard error."""
        start = time.perf_counter()
        try:
            yield
        except Exception as error:
            # A cell reports every failure of every library below it; none may hide the checks that come after.
            traceback.print_exc(file=sys.stderr)
            self.outcomes[name] = describe(error)
        else:
            self.outcomes[name] = True
        self.seconds[name] = round(time.perf_counter() - start, 2)

    def not_reached(self, names: tuple[str, ...], because: str) -> None:
        """Notes checks that could not run."""
        for name in names:
            self.outcomes.setdefault(name, f"not reached: {because}")


def require(holds: Any, text: str) -> None:
    """Raises `CheckFailed` with the text where something does not hold."""
    if not holds:
        raise CheckFailed(text)


def describe(error: BaseException) -> str:
    """An error as one text, with its cause."""
    text = str(error) if isinstance(error, CheckFailed) else f"{type(error).__name__}: {error}"
    return f"{text} (from {describe(error.__cause__)})" if error.__cause__ else text
