"""What to write instead of a value that a field does not take."""

from __future__ import annotations

from typing import Any

from paredown.spec.document import show
from paredown.spec.nearest import nearest
from paredown.spec.schema import Node, SchemaWalk

_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def remedy_for(value: Any, node: Node, walk: SchemaWalk, *, default: Any = None) -> str:
    """The likeliest mend of a wrong value, else a restatement of what the field takes."""
    branches = walk.alternatives(node)
    types = {branch.get("type") for branch in branches}
    return (
        _for_text(value, types, branches, walk.kinds(node))
        or _for_number(value, types, branches)
        or _for_list(value, types)
        or f"write {walk.describe(node)}"
        + (f", or remove it for the default, {show(default)}" if default is not None else "")
    )


def _for_text(value: Any, types: set[Any], branches: list[Node], kinds: dict[str, Node] | None) -> str | None:
    if not isinstance(value, str):
        return None
    if kinds is not None:
        near = nearest(value, kinds)
        return f"write `{{kind: {near}}}`" if near else None
    known = [name for branch in branches for name in _choices(branch) if isinstance(name, str)]
    near = nearest(value, known)
    if near:
        return f"did you mean `{near}`?"
    if types & {"integer", "number"} and _is_number(value):
        return f"write it without quotes: {value.strip()}"
    if "boolean" in types and value.lower() in (*_BOOLEANS, "true", "false"):
        return f"write `{_BOOLEANS.get(value.lower(), value.lower())}`"
    return None


def _for_number(value: Any, types: set[Any], branches: list[Node]) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if types == {"string"}:
        return f'put it between quotes: "{value}"'
    if types & {"integer"} and isinstance(value, float) and value.is_integer():
        return f"write {int(value)}"
    top = min(
        (branch[key] for branch in branches for key in ("maximum", "exclusiveMaximum") if key in branch), default=0
    )
    if top == 1 and 1 < value < 100:
        return f"it is a share, not a percentage: {value:g}% is {value / 100:g}"
    return None


def _for_list(value: Any, types: set[Any]) -> str | None:
    if "array" in types and not isinstance(value, list):
        return f"write a list: [{show(value)}]" if value is not None else "write a list, or remove the field"
    if isinstance(value, list) and len(value) == 1 and "array" not in types:
        return f"write {show(value[0])}, without the brackets"
    return None


def _choices(branch: Node) -> list[Any]:
    return list(branch.get("enum", ())) or ([branch["const"]] if "const" in branch else [])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
