"""Turns pydantic's errors into problems: one for each mistake, at its place, with the nearest right name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paredown.errors import Problem
from paredown.spec.document import DataPath, Document, format_path
from paredown.spec.nearest import listed, nearest, one_of, suggestion
from paredown.spec.planned import is_planned_field, is_planned_value
from paredown.spec.remedies import remedy_for
from paredown.spec.schema import Node, SchemaWalk, get_part


@dataclass(frozen=True, slots=True)
class _Finding:
    """One error of pydantic, with its place in the data and in the schema."""

    path: DataPath
    error: Mapping[str, Any]
    node: Node | None
    owner: Node | None

    @property
    def unknown(self) -> bool:
        return bool(self.error["type"] == "extra_forbidden")

    @property
    def missing(self) -> bool:
        return bool(self.error["type"] == "missing")

    @property
    def field(self) -> str:
        """The field's name; for an item of a list, the list's."""
        return next((part for part in reversed(self.path) if isinstance(part, str)), "")

    @property
    def model(self) -> str:
        """The name of the model that the field belongs to."""
        return str(self.owner.get("title", "")) if self.owner else ""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of that model."""
        return tuple(self.owner.get("properties", ())) if self.owner else ()


def problems_from(
    errors: Sequence[Mapping[str, Any]], document: Document, schema: Node, failed: Sequence[str] = ()
) -> list[Problem]:
    """The problems behind pydantic's errors, in the order of the document.

    Args:
        errors: What `ValidationError.errors()` gave for `document.data`.
        document: The data with its places.
        schema: The JSON Schema of the model that refused it.
        failed: Plugins that did not load; a remedy for an unknown kind mentions them.
    """
    walk = SchemaWalk(schema)
    findings = _without_consequences([_locate(error, document.data, walk) for error in errors], document)
    return [_problem(finding, document, walk, failed) for finding in findings]


def _locate(error: Mapping[str, Any], data: Any, walk: SchemaWalk) -> _Finding:
    """Follows pydantic's location through data and schema, dropping the names of union branches from it."""
    location = error["loc"]
    path: list[str | int] = []
    node: Node | None = walk.root
    owner: Node | None = None
    tag_read = False
    for part in location:
        kinds = None if node is None or tag_read else walk.kinds(node)
        if kinds is not None and part in kinds:
            tag_read = True
            continue
        child = walk.child(node, data, part) if node is not None else None
        named = isinstance(data, dict) and (part in data or part == location[-1] == error["type"])
        absent = error["type"] == "missing" and part == location[-1]
        if child is None and not named and not absent:
            continue
        if isinstance(part, str) and node is not None:
            owner = walk.model(node, data)
        path.append(part)
        data, node, tag_read = get_part(data, (part,)), child, False
    return _Finding(tuple(path), error, node, owner)


def _is_planned(finding: _Finding, document: Document) -> bool:
    if finding.unknown:
        return is_planned_field(finding.model, finding.field)
    value = get_part(document.data, finding.path)
    if finding.error["type"] == "union_tag_invalid":
        value = value.get("kind") if isinstance(value, dict) else value
    return is_planned_value(finding.model, finding.field, value)


def _without_consequences(findings: Iterable[_Finding], document: Document) -> list[_Finding]:
    """One finding a mistake: branches of one union merged, and what follows from another mistake dropped."""
    first: dict[DataPath, _Finding] = {}
    for finding in findings:
        first.setdefault(finding.path, finding)
    for path in list(first):
        for shorter in range(len(path)):  # another branch of a union refused the whole of what this one looked into
            first.pop(path[:shorter], None)
    planned = {path for path, finding in first.items() if _is_planned(finding, document)}
    whole = {path for path, finding in first.items() if str(finding.error["type"]).startswith("union_tag")}
    lacking = {path[:-1] for path in planned - whole if path}
    spoiled = {
        path[:-1]
        for path, finding in first.items()
        if path and path not in whole and not finding.unknown and (path[-1] == "kind" or path in planned)
    }
    meant = {(*path[:-1], nearest(finding.field, finding.fields)) for path, finding in first.items() if finding.unknown}
    return [
        finding
        for path, finding in first.items()
        if not (finding.unknown and path[:-1] in spoiled)
        and not (finding.unknown and path[:-1] in lacking and path not in planned)
        and not (finding.missing and (path[:-1] in spoiled | lacking or path in meant))
    ]


def _problem(finding: _Finding, document: Document, walk: SchemaWalk, failed: Sequence[str]) -> Problem:
    if finding.unknown:
        return _unknown_field(finding, document)
    kind = finding.error["type"]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _wrong_kind(finding, document, walk, failed)
    value = get_part(document.data, finding.path)
    expected = walk.describe(finding.node) if finding.node else str(finding.error["msg"])
    if _is_planned(finding, document):
        return _planned_value(finding, document, value, expected)
    if finding.missing:
        return Problem(
            f"`{format_path(finding.path)}` is missing",
            document.where(finding.path),
            "nothing",
            expected,
            f"add `{finding.path[-1]}`" if isinstance(finding.path[-1], str) else "write all items of the list",
        )
    what = str(finding.error["ctx"]["error"]) if kind == "value_error" else _fault(finding)
    default = finding.node.get("default") if finding.node else None
    remedy = remedy_for(value, finding.node or {}, walk, default=default)
    return document.problem(finding.path, what, value=value, expected=expected, remedy=remedy)


def _fault(finding: _Finding) -> str:
    name = f"`{format_path(finding.path)}`" if finding.path else "the spec"
    kind = str(finding.error["type"])
    if kind in ("too_short", "too_long"):
        return f"{name} has too {'few' if kind == 'too_short' else 'many'} items"
    if kind.startswith(("greater_than", "less_than", "finite")):
        return f"{name} is out of range"
    if kind in ("literal_error", "string_pattern_mismatch", "enum"):
        return f"{name} is not a value that this field takes"
    return f"{name} is of the wrong type"


def _unknown_field(finding: _Finding, document: Document) -> Problem:
    name, fields = finding.field, finding.fields
    value = get_part(document.data, finding.path)
    if is_planned_field(finding.model, name):
        what = f"`{name}` is planned and not built yet; built: {', '.join(fields)}"
        remedy = f"remove `{name}`"
    else:
        what = f"unknown field `{name}`"
        near = nearest(name, fields)
        remedy = f"did you mean `{near}`?" if near else f"remove `{name}`; nothing here reads it"
    expected = f"fields among {listed(fields)}"
    return document.problem(finding.path, what, value=value, expected=expected, remedy=remedy, at_key=True)


def _wrong_kind(finding: _Finding, document: Document, walk: SchemaWalk, failed: Sequence[str]) -> Problem:
    kinds = tuple((walk.kinds(finding.node) if finding.node else None) or ())
    path = (*finding.path, "kind")
    expected = one_of(kinds, "kind")
    value = get_part(document.data, path)
    written = isinstance(document.data, dict) and "kind" in (get_part(document.data, finding.path) or {})
    if not written:
        such_as = f"add one of these, such as `kind: {kinds[0]}`" if len(kinds) > 1 else f"add `kind: {kinds[0]}`"
        remedy = such_as if kinds else suggestion("", kinds)
        return Problem(f"`{format_path(path)}` is missing", document.where(path), "nothing", expected, remedy)
    name = str(value)
    remedy = suggestion(name, kinds)
    if _is_planned(finding, document):
        what = f"`{name}` is planned and not built yet; built: {', '.join(kinds)}"
        remedy = f"choose one of {listed(kinds)}" if kinds else remedy
    else:
        what = f"unknown kind `{name}`"
        if failed:
            remedy += f" (plugins that did not load: {', '.join(failed)}; see `paredown doctor`)"
    return document.problem(path, what, value=value, expected=expected, remedy=remedy)


def _planned_value(finding: _Finding, document: Document, value: object, expected: str) -> Problem:
    shown = value if isinstance(value, str) else f"{finding.field}: {str(value).lower()}"
    built = expected.removeprefix("one of ").replace("`", "")
    what = f"`{shown}` is planned and not built yet; built: {built}"
    return document.problem(finding.path, what, value=value, expected=expected, remedy=f"write {expected}")
