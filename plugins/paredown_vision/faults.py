"""What is wrong with parts of a dataset: refused or left out, named and counted either way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from paredown.errors import DataError

_NAMED = 20


def settle(
    faults: Sequence[str], what: str, where: Path, *, skip: bool, option: str = "on_error: skip"
) -> tuple[str, ...]:
    """The notes about what is left out; nothing where nothing is wrong.

    Args:
        faults: One text each, the name first.
        what: What they are of, such as `12 pictures`.
        where: The directory or file.
        skip: Whether they are left out.
        option: What to write in the spec so that they are.

    Raises:
        DataError: There are some, and they are not to be left out.
    """
    if not faults:
        return ()
    shown = listed(faults)
    if skip:
        return (f"data: {len(faults)} of {what} in {where.name} left out or mended: {shown}",)
    raise DataError(
        f"{len(faults)} of {what} cannot be used",
        where=str(where),
        value=shown,
        expected="data without faults",
        remedy=f"mend them, or write `{option}` under `data`",
    )


def listed(faults: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    return "; ".join(faults[:_NAMED]) + more


def require_directory(path: Path, option: str) -> Path:
    """A directory that is there.

    Raises:
        DataError: It is missing, or a file.
    """
    if path.is_dir():
        return path
    raise DataError(
        "a folder of the dataset is missing" if not path.exists() else "this is a file and no folder",
        where=str(path),
        expected="a folder",
        remedy=f"correct `{option}`; a relative path starts from the spec's folder",
    )


def require_disjoint(parts: Sequence[Sequence[Path]], where: Path) -> None:
    """Refuses a picture that is in two of train, validation and test, under whatever name.

    Raises:
        DataError: It names such pictures, and counts them.
    """
    seen: dict[str, str] = {}
    shared: list[str] = []
    for name, part in zip(("train", "validation", "test"), parts, strict=True):
        own = {os.path.realpath(path): path for path in part}
        shared += [f"{path.name} of {name} is in {seen[real]}" for real, path in own.items() if real in seen]
        seen |= dict.fromkeys(own, name)
    if shared:
        raise DataError(
            f"{len(shared)} pictures are in more than one split",
            where=str(where),
            value=listed(shared),
            expected="each picture in train, in validation or in test",
            remedy="choose files that share no picture: what was trained on would be measured on",
        )
