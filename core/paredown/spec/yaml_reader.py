"""YAML text to a document: the core schema of YAML 1.2, no tags, every value with its line and column."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from paredown.errors import SpecError
from paredown.spec.document import MAX_DEPTH, DataPath, Document, Position

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NAMED = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_MAX_DIGITS = 4000


class _Tagged(yaml.MarkedYAMLError):
    """A tag was found."""


class _TooDeep(yaml.MarkedYAMLError):
    """Collections nest too deep to be composed."""


class _NodeComposer(Reader, Scanner, Parser, Composer, BaseResolver):
    """Makes nodes, and constructs nothing from them; refuses tags and deep nesting while it goes."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # so in the stubs
        if getattr(event, "tag", None) is not None:
            raise _Tagged(problem=f"the tag `{event.tag}`", problem_mark=event.start_mark)
        if self._depth > MAX_DEPTH:
            raise _TooDeep(problem="too many levels of nesting", problem_mark=event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def read_yaml(text: str, source: str | None) -> Document:
    """Reads one YAML document.

    Raises:
        SpecError: The text is not YAML, or uses what a spec may not: tags, merge keys, keys that are no text, a key
            twice, anchors that expand without bound.
    """
    document = Document(source)
    root = _compose(text, document)
    if root is not None:
        document.data = _build(root, (), document)
    return document


def _compose(text: str, document: Document) -> Any:
    try:
        return _NodeComposer(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, document) from None
    except yaml.reader.ReaderError as error:
        raise document.refuse(
            _position_of(text, error.position),
            "a character that YAML does not allow",
            value=f"U+{ord(error.character):04X}" if isinstance(error.character, str) else repr(error.character),
            expected="printable text",
            remedy="remove the character",
        ) from None
    except (ValueError, OverflowError) as error:  # PyYAML's scanner: an escape or a directive's number out of range
        raise document.refuse(
            None,
            "an escape or a number in the YAML text is out of range",
            value=str(error),
            expected="escapes up to \\U0010FFFF",
            remedy='look at the texts between double quotes and at lines that begin with "%"',
        ) from None


def _syntax_error(error: yaml.MarkedYAMLError, text: str, document: Document) -> SpecError:
    mark = error.problem_mark or error.context_mark
    line = text.splitlines()[mark.line : mark.line + 1] if mark else []
    shown = line[0].strip()[:80] if line else ""
    expected, remedy = "YAML", "mend the line, or the one before it"
    what = f"not YAML: {error.problem or error.context or 'it cannot be read'}"
    if isinstance(error, _Tagged):
        what, expected = f"tags are not allowed: {error.problem}", "plain values"
        remedy = f"remove {error.problem}; a spec holds only text, numbers, true, false, null, lists and mappings"
    elif isinstance(error, _TooDeep):
        what, expected = "too many levels of nesting", f"at most {MAX_DEPTH} levels"
        remedy = "flatten it: a spec is at most a few levels deep"
    elif "\\t" in what or "\t" in "".join(line):
        what, remedy = f"{what} (a tab)", "indent with spaces: YAML forbids tabs there"
    elif "single document" in what or "single document" in str(error.context):
        what, expected, remedy = "more than one YAML document", "one document", "remove the line `---` and what follows"
    position = Position(mark.line + 1, mark.column + 1) if mark else None
    return document.refuse(position, what, value=shown or "the end of the text", expected=expected, remedy=remedy)


def _build(node: yaml.Node, path: DataPath, document: Document) -> Any:
    position = _position(node)
    document.place(path, position)
    if isinstance(node, yaml.MappingNode):
        return {key: _build(child, (*path, key), document) for key, child in _items(node, path, document)}
    if isinstance(node, yaml.SequenceNode):
        return [_build(child, (*path, index), document) for index, child in enumerate(node.value)]
    assert isinstance(node, yaml.ScalarNode)
    return _scalar(node, path, position, document)


def _items(node: yaml.MappingNode, path: DataPath, document: Document) -> list[tuple[str, yaml.Node]]:
    items = []
    for key_node, value_node in node.value:
        position = _position(key_node)
        key = _scalar(key_node, path, position, document) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            raise document.refuse(
                position,
                "a key that is not text",
                path=path,
                value=str(key_node.value)[:80] if isinstance(key_node, yaml.ScalarNode) else "a list or a mapping",
                expected="names as keys",
                remedy="name the field, or put the key between quotes",
            )
        if key == "<<" and key_node.style is None:
            raise document.refuse(
                position,
                "merge keys (`<<`) are not part of YAML 1.2",
                path=path,
                value="<<",
                expected="fields written out",
                remedy="write the fields out; anchors and aliases of whole values are fine",
            )
        document.place_key((*path, key), position)
        items.append((key, value_node))
    return items


def _scalar(node: yaml.ScalarNode, path: DataPath, position: Position, document: Document) -> Any:
    text: str = node.value
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise document.refuse(
            position,
            "half of a surrogate pair",
            path=path,
            value=ascii(text)[:80],
            expected="whole Unicode characters",
            remedy="write the character itself",
        )
    if node.style is not None:
        return text
    if text in _NAMED:
        return _NAMED[text]
    if len(text) > _MAX_DIGITS and (_INTEGER.fullmatch(text) or _FLOAT.fullmatch(text)):
        raise document.refuse(
            position,
            "a number with too many digits",
            path=path,
            value=f"{text[:20]}... ({len(text)} characters)",
            expected=f"at most {_MAX_DIGITS} digits",
            remedy="write a shorter number",
        )
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", "", 1))
    return float(text) if _FLOAT.fullmatch(text) else text


def _position(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _position_of(text: str, offset: int) -> Position:
    before = text[:offset]
    return Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)
