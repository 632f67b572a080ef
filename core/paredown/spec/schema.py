"""Walks a JSON Schema beside the data that it describes, and says in words what a part expects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paredown.spec.document import DataPath, show

Node = dict[str, Any]


class SchemaWalk:
    """Finds the part of a JSON Schema that describes a part of a document."""

    def __init__(self, schema: Node) -> None:
        self.root = schema
        self._definitions: dict[str, Node] = schema.get("$defs", {})

    def follow(self, node: Node) -> Node:
        """The node behind references."""
        while "$ref" in node:
            node = self._definitions[node["$ref"].rsplit("/", 1)[-1]]
        return node

    def alternatives(self, node: Node) -> list[Node]:
        """The nodes of a union, `null` among them; the node alone where it is no union."""
        node = self.follow(node)
        return [part for branch in node["anyOf"] for part in self.alternatives(branch)] if "anyOf" in node else [node]

    def kinds(self, node: Node) -> dict[str, Node] | None:
        """The models of a union that `kind` decides between, by kind; None for anything else."""
        for part in self.alternatives(node):
            if "discriminator" in part:
                mapping: dict[str, str] = part["discriminator"].get("mapping", {})
                return {kind: self.follow({"$ref": reference}) for kind, reference in mapping.items()}
        return None

    def model(self, node: Node, value: Any) -> Node | None:
        """The node with the fields of the mapping `value`, or None."""
        kinds = self.kinds(node)
        if kinds is not None:
            return kinds.get(value["kind"]) if isinstance(value, dict) and _is_text(value.get("kind")) else None
        return next((part for part in self.alternatives(node) if "properties" in part), None)

    def child(self, node: Node, value: Any, part: str | int) -> Node | None:
        """The node of a field or of an item of `value`, or None when the schema has none there."""
        if isinstance(part, str):
            model = self.model(node, value)
            found: Node | None = model["properties"].get(part) if model else None
            return found
        for branch in self.alternatives(node):
            if branch.get("type") == "array":
                prefix = branch.get("prefixItems", [])
                found = prefix[part] if part < len(prefix) else branch.get("items")
                return found if isinstance(found, dict) else None
        return None

    def describe(self, node: Node) -> str:
        """What is expected, in words."""
        kinds = self.kinds(node)
        if kinds is not None:
            names = ", ".join(f"`{kind}`" for kind in kinds) or "none is installed"
            return f"a mapping whose `kind` is one of: {names}"
        return " or ".join(self._describe_one(part) for part in self.alternatives(node) if part.get("type") != "null")

    def _describe_one(self, node: Node) -> str:
        if "const" in node:
            return f"`{_plain(node['const'])}`"
        if "enum" in node:
            return "one of " + ", ".join(f"`{_plain(value)}`" for value in node["enum"])
        kind = node.get("type")
        if kind in ("integer", "number"):
            return " ".join(filter(None, ("a whole number" if kind == "integer" else "a number", _bounds(node))))
        if kind == "array":
            return self._describe_array(node)
        if kind == "object":
            return f"a mapping with fields among {_names(node.get('properties', ()))}"
        if kind == "string":
            pattern = node.get("pattern")
            return f"text that matches {pattern}" if pattern else "text"
        return "`true` or `false`" if kind == "boolean" else "another value"

    def _describe_array(self, node: Node) -> str:
        prefix = node.get("prefixItems")
        if prefix:
            parts = [self.describe(part) for part in prefix]
            each = f"each {parts[0]}" if len(set(parts)) == 1 else "; ".join(parts)
            return f"a list of {len(prefix)}: {each}"
        items = node.get("items")
        each = f", each {self.describe(items)}" if isinstance(items, dict) else ""
        return f"a list of at least {node['minItems']}{each}" if node.get("minItems") else f"a list{each}"


def get_part(data: Any, path: DataPath) -> Any:
    """The part of plain data at a path, or None where there is none."""
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def _bounds(node: Node) -> str:
    words = (
        ("exclusiveMinimum", "greater than"),
        ("minimum", "at least"),
        ("exclusiveMaximum", "less than"),
        ("maximum", "at most"),
    )
    return " and ".join(f"{word} {node[key]}" for key, word in words if key in node)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else show(value)


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _is_text(value: object) -> bool:
    return isinstance(value, str)
