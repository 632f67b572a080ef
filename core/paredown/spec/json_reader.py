"""JSON text to a document: RFC 8259, every value with its line and column, no key twice."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Any

from paredown.errors import SpecError
from paredown.spec.document import DataPath, Document, Position

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NAMED = {"true": True, "false": False, "null": None}
_MAX_DIGITS = 4000


def read_json(text: str, source: str | None) -> Document:
    """Reads one JSON document.

    Raises:
        SpecError: The text is not JSON, or holds a key twice.
    """
    return _Reader(text, source).read()


class _Reader:
    def __init__(self, text: str, source: str | None) -> None:
        self.text = text
        self.document = Document(source)
        self.lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self.offset = 0
        self.decoder = json.JSONDecoder()

    def read(self) -> Document:
        self.skip()
        if self.offset < len(self.text):
            self.document.data = self.value(())
            if self.offset < len(self.text):
                raise self.fail("more text after the end of the document", expected="one JSON value")
        return self.document

    def value(self, path: DataPath) -> Any:
        self.document.place(path, self.position())
        character = self.text[self.offset : self.offset + 1]
        if character == "{":
            return self.mapping(path)
        if character == "[":
            return self.sequence(path)
        return self.string() if character == '"' else self.scalar()

    def mapping(self, path: DataPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while self.more("}", first=not result):
            position = self.position()
            if not self.text.startswith('"', self.offset):
                raise self.fail("a key that is not text", expected="a name between double quotes")
            key = self.string()
            self.document.place_key((*path, key), position)
            self.take(":")
            result[key] = self.value((*path, key))
        return result

    def sequence(self, path: DataPath) -> list[Any]:
        result: list[Any] = []
        while self.more("]", first=not result):
            result.append(self.value((*path, len(result))))
        return result

    def more(self, end: str, *, first: bool) -> bool:
        """Whether another item follows in the collection; moves to it, or past the end."""
        if first:
            self.move(1)
        if self.text.startswith(end, self.offset):
            self.move(1)
            return False
        if not first:
            self.take(",", f"`,` or `{end}`")
        return True

    def string(self) -> str:
        try:
            text, end = self.decoder.raw_decode(self.text, self.offset)
        except json.JSONDecodeError as error:
            self.offset = error.pos
            raise self.fail(f"not JSON: {error.msg}", expected="text between double quotes") from None
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise self.fail("half of a surrogate pair", expected="whole Unicode characters")
        self.move(end - self.offset)
        return str(text)

    def scalar(self) -> Any:
        for name, value in _NAMED.items():
            if self.text.startswith(name, self.offset):
                self.move(len(name))
                return value
        number = _NUMBER.match(self.text, self.offset)
        if number is None:
            raise self.fail("not JSON", expected="a value")
        if len(number[0]) > _MAX_DIGITS:
            raise self.fail("a number with too many digits", expected=f"at most {_MAX_DIGITS} digits")
        self.move(len(number[0]))
        return float(number[0]) if number[2] or number[3] else int(number[1])

    def take(self, character: str, expected: str | None = None) -> None:
        if not self.text.startswith(character, self.offset):
            raise self.fail("not JSON", expected=expected or f"`{character}`")
        self.move(1)

    def move(self, count: int) -> None:
        self.offset += count
        self.skip()

    def skip(self) -> None:
        match = _SPACE.match(self.text, self.offset)
        self.offset = match.end() if match else self.offset

    def position(self) -> Position:
        line = bisect_right(self.lines, self.offset)
        return Position(line, self.offset - self.lines[line - 1] + 1)

    def fail(self, what: str, *, expected: str) -> SpecError:
        shown = ascii(self.text[self.offset : self.offset + 20]) if self.offset < len(self.text) else "the end"
        remedy = "mend the JSON at this place; comments and trailing commas need YAML"
        return self.document.refuse(self.position(), what, value=shown, expected=expected, remedy=remedy)
