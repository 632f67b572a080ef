"""argparse with our errors: what is wrong, what was expected, the nearest right name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from paredown.errors import ParedownError
from paredown.spec.nearest import listed, suggestion


class UsageError(ParedownError):
    """The command line is not one that can be carried out."""


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` instead of printing and exiting, and shows help without cutting anything off."""

    def __init__(self, **options: object) -> None:
        super().__init__(allow_abbrev=False, **options)  # type: ignore[arg-type]  # handed on as they are

    def error(self, message: str) -> NoReturn:
        """Refuses the arguments."""
        raise UsageError(message, where=self.prog, remedy=f"see `{self.prog} --help`")

    def refuse_unknown_options(self, arguments: Sequence[str]) -> None:
        """Refuses options that this parser does not have, before argparse complains of what they were meant to give.

        Raises:
            UsageError: With the nearest option.
        """
        known = sorted(option for option in self._option_string_actions if option.startswith("--"))
        for argument in arguments:
            if argument == "--":
                return
            name = argument.partition("=")[0]
            if name.startswith("--") and name not in known:
                raise UsageError(
                    f"there is no option `{name}`",
                    where=self.prog,
                    value=argument,
                    expected=f"one of {listed(known)}",
                    remedy=suggestion(name, known),
                )


def whole_number(text: str) -> int:
    """Reads a whole number that is not negative.

    Raises:
        UsageError: It is something else.
    """
    if not text.isdecimal():
        raise UsageError(
            "this is no seed",
            where="--seed",
            value=text,
            expected="a whole number of at least 0 and below 4294967296",
            remedy="for several seeds give the option again: --seed 0 --seed 1",
        )
    return int(text)


def shares(text: str) -> tuple[float, ...]:
    """Reads shares strictly between 0 and 1, separated by commas.

    Raises:
        UsageError: There is something else among them, or one stands twice.
    """
    read = [_number(part) for part in text.split(",")]
    found = [number for number in read if number is not None and 0 < number < 1]
    if len(found) != len(read) or len(set(found)) != len(found):
        raise UsageError(
            "these are no shares of channels to remove",
            where="--ratios",
            value=text,
            expected="different numbers above 0 and below 1, separated by commas",
            remedy="write for instance --ratios 0.25,0.5,0.75",
        )
    return tuple(sorted(found))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
