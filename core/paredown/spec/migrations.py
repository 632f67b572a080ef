"""Versions of the spec: which this release reads, and how older ones become the current one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from paredown.errors import SpecError
from paredown.spec.document import Document

CURRENT = 1

Migration = Callable[[Mapping[str, Any]], dict[str, Any]]

MIGRATIONS: dict[int, Migration] = {}
"""For each older version the function that turns its data into the next version's, `version` included."""


def migrate(
    document: Document, *, current: int = CURRENT, migrations: Mapping[int, Migration] = MIGRATIONS
) -> Document:
    """The document in the current version; its places stay those of what was written.

    Raises:
        SpecError: The version is missing, no version at all, newer than this release, or older than what it reads.
    """
    version = document.data.get("version")
    path = ("version",)
    readable = [*sorted(number for number in migrations if number < current), current]
    expected = " or ".join(f"`{number}`" for number in readable)
    if "version" not in document.data:
        remedy = f"add `version: {current}` as the first line"
        raise SpecError(
            "`version` is missing", where=document.where(path), value="nothing", expected=expected, remedy=remedy
        )
    if isinstance(version, bool) or not isinstance(version, int):
        what, remedy = "`version` is no version of the spec", f"write `version: {current}`, without quotes or point"
    elif version > current:
        what = f"version {version} is newer than this paredown reads"
        remedy = "upgrade it: `pip install --upgrade paredown`; or write the spec in an older version"
    elif version not in readable:
        what, remedy = f"there is no version {version} that this paredown reads", f"write `version: {current}`"
    else:
        return replace(document, data=_upgraded(document.data, version, current, migrations))
    raise SpecError.of([document.problem(path, what, value=version, expected=expected, remedy=remedy)])


def _upgraded(
    data: Mapping[str, Any], version: int, current: int, migrations: Mapping[int, Migration]
) -> Mapping[str, Any]:
    for number in range(version, current):
        data = migrations[number](data)
    return data
