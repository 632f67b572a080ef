"""A spec as plain data, with the place in the file that each part was written at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from paredown.errors import Problem, SpecError

DataPath = tuple[str | int, ...]
"""Keys and indices from the root of a document to one of its parts."""

MAX_DEPTH = 32
"""How deep lists and mappings may nest; a real spec needs six."""

MAX_PARTS = 20_000
"""How many values a document may hold once its anchors are expanded."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text; line and column count from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """Plain data with the places of its values and keys; `source` is the file's name, None for data made in Python."""

    source: str | None = None
    data: Any = None
    values: dict[DataPath, Position] = field(default_factory=dict)
    keys: dict[DataPath, Position] = field(default_factory=dict)

    def where(self, path: DataPath, *, at_key: bool = False) -> str | None:
        """`FILE:LINE:COLUMN: field` for a part of the document.

        A part that was not written is placed at the mapping that lacks it. `at_key` asks for the place of the key.
        """
        shown = format_path(path)
        if self.source is None:
            return shown or None
        position = self.keys.get(path) if at_key else None
        known = path
        while position is None and (position := self.values.get(known)) is None and known:
            known = known[:-1]
        place = f"{self.source}:{position.line}:{position.column}" if position else self.source
        return f"{place}: {shown}" if shown else place

    def place(self, path: DataPath, position: Position) -> None:
        """Notes where a value is written; refuses a document that is too deep or too large."""
        if len(path) > MAX_DEPTH:
            raise self.refuse(
                position,
                "too many levels of nesting",
                value=f"{len(path)} levels",
                expected=f"at most {MAX_DEPTH} levels",
                remedy="flatten it: a spec is at most a few levels deep",
            )
        if len(self.values) >= MAX_PARTS:
            raise self.refuse(
                position,
                "too many values",
                value=f"more than {MAX_PARTS} values, anchors expanded",
                expected=f"at most {MAX_PARTS} values",
                remedy="remove what is repeated; look for anchors that hold anchors",
            )
        self.values[path] = position

    def place_key(self, path: DataPath, position: Position) -> None:
        """Notes where a key is written; refuses one that its mapping already has."""
        earlier = self.keys.get(path)
        if earlier is not None:
            raise self.refuse(
                position,
                f"the key `{path[-1]}` is given twice: on line {earlier.line} and on line {position.line}",
                path=path,
                value=str(path[-1]),
                expected="each key once",
                remedy="remove one of the two",
            )
        self.keys[path] = position

    def refuse(
        self, position: Position | None, what: str, *, path: DataPath = (), value: str, expected: str, remedy: str
    ) -> SpecError:
        """An error about a place in the text."""
        place = self.source or "spec"
        if position is not None:
            place = f"{place}:{position.line}:{position.column}"
        if path:
            place = f"{place}: {format_path(path)}"
        return SpecError(what, where=place, value=value, expected=expected, remedy=remedy)

    def problem(
        self, path: DataPath, what: str, *, value: object, expected: str, remedy: str, at_key: bool = False
    ) -> Problem:
        """A problem with one part of the document."""
        return Problem(what, self.where(path, at_key=at_key), show(value), expected, remedy)


def format_path(path: DataPath) -> str:
    """A path as people write it: `steps[0].ratio`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def show(value: object, limit: int = 80) -> str:
    """A value as it would stand in a JSON spec, cut to `limit` characters."""
    import json

    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= limit else text[: limit - 3] + "..."
