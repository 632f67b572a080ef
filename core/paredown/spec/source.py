"""From what a caller gives (a path, a mapping, a spec) to a document."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from paredown.errors import SpecError
from paredown.spec.document import MAX_DEPTH, DataPath, Document, format_path
from paredown.spec.json_reader import read_json
from paredown.spec.presets import beside_presets
from paredown.spec.yaml_reader import read_yaml

MAX_BYTES = 256 * 1024
"""The largest spec that is read; a real one has about two thousand bytes."""


def read_file(path: Path) -> Document:
    """Reads a spec file: JSON when its name ends in `.json`, else YAML.

    Raises:
        SpecError: There is no such file, it cannot be read, is too large, is no UTF-8, or is not YAML or JSON.
    """
    content = _bytes_of(path)
    if len(content) > MAX_BYTES:
        raise _file_error(path, "the file is too large", f"more than {MAX_BYTES} bytes", f"at most {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        column = len(content[: error.start].rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        raise SpecError(
            "the file is not UTF-8",
            where=f"{path}:{line}:{column}",
            value=f"byte 0x{content[error.start]:02X}",
            expected="text in UTF-8",
            remedy="save the file as UTF-8",
        ) from None
    return read_text(text, str(path), is_json=path.suffix.lower() == ".json")


def read_text(text: str, source: str, *, is_json: bool = False) -> Document:
    """Reads the text of a spec; `source` names it in messages."""
    document = read_json(text, source) if is_json else read_yaml(text, source)
    if document.data is None and not document.values:
        raise SpecError(
            "the spec is empty",
            where=source,
            value="nothing",
            expected="a mapping that begins with `version: 1`",
            remedy="write one with `paredown init`",
        )
    return _require_mapping(document)


def read_mapping(source: Mapping[str, Any] | BaseModel) -> Document:
    """Takes a spec made in Python: mappings, sequences, numbers, text, and pydantic models among them.

    Raises:
        SpecError: Something in it is no plain data.
    """
    return _require_mapping(Document(None, _plain(source, ())))


def _require_mapping(document: Document) -> Document:
    if isinstance(document.data, dict):
        return document
    problem = document.problem(
        (),
        "the spec is not a mapping",
        value=document.data,
        expected="a mapping that begins with `version: 1`",
        remedy="write fields as `name: value`; `paredown init` writes an example",
    )
    raise SpecError.of([problem])


def _bytes_of(path: Path) -> bytes:
    expected, remedy = "a YAML or JSON file", "check the path; `paredown init` writes a spec to begin with"
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _file_error(path, "there is no such file", str(path), expected, remedy) from None
    except IsADirectoryError:
        raise _file_error(path, "this is a directory", str(path), expected, "name the file in it") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _file_error(path, f"the file cannot be read: {reason}", str(path), expected, remedy) from None


def _file_error(path: Path, what: str, value: str, expected: str, remedy: str = "is this the right file?") -> SpecError:
    return SpecError(what, where=str(path), value=value, expected=expected, remedy=remedy)


def _plain(value: Any, path: DataPath) -> Any:
    if len(path) > MAX_DEPTH:
        raise _not_plain(path[:4], "too many levels of nesting", value, "does it hold itself?")
    if isinstance(value, BaseModel):
        return beside_presets(value, value.model_dump(mode="json", serialize_as_any=True))
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise _not_plain(path, "a key that is not text", key, "use names as keys")
        return {key: _plain(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, (*path, index)) for index, item in enumerate(value)]
    if value is None or type(value) in (str, bool, int, float):
        return value
    raise _not_plain(path, "a value that is no plain data", value, "convert it: `int(...)`, `float(...)`, `str(...)`")


def _not_plain(path: DataPath, what: str, value: object, remedy: str) -> SpecError:
    expected = "mappings with text as keys, lists, text, numbers, booleans and None"
    shown = f"{type(value).__name__} {value!r}"[:80]
    return SpecError(what, where=format_path(path) or "spec", value=shown, expected=expected, remedy=remedy)
