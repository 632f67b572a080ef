"""Selectors that could pick nothing, or everything, on any network."""

from __future__ import annotations

import re
from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.document import DataPath, Document
from paredown.spec.models import PruneStep, QuantizeStep, Selector

_REGULAR = "re:"


def check_selectors(step: PruneStep | QuantizeStep, path: DataPath, document: Document) -> Iterator[Problem]:
    """The problems with the selectors of a step; whether they match is known once there is a network."""
    for index, selector in enumerate(step.protect):
        yield from _selector(selector, (*path, "protect", index), document)
    for index, override in enumerate(step.overrides if isinstance(step, PruneStep) else ()):
        yield from _selector(override.select, (*path, "overrides", index, "select"), document)


def _selector(selector: Selector, path: DataPath, document: Document) -> Iterator[Problem]:
    if not (selector.names or selector.types or selector.roles):
        yield document.problem(
            path,
            "the selector says nothing, and would pick every layer",
            value=selector.model_dump(mode="json", exclude_defaults=True),
            expected="`names`, `types` or `roles`",
            remedy="write what is meant, such as `{types: [linear]}`; `{names: ['*']}` picks every layer",
        )
    for index, name in enumerate(selector.names):
        yield from _name(name, (*path, "names", index), document)


def _name(name: str, path: DataPath, document: Document) -> Iterator[Problem]:
    fault = "the pattern is empty, and fits no name" if name in ("", _REGULAR) else None
    if name.startswith(_REGULAR) and fault is None:
        fault = _fault_of_expression(name.removeprefix(_REGULAR))
    if fault:
        yield document.problem(
            path,
            fault,
            value=name,
            expected="a glob such as `layer3.*`, or a regular expression after `re:`",
            remedy="mend the pattern; as a glob, without `re:`, only `*`, `?` and `[...]` have a meaning",
        )


def _fault_of_expression(expression: str) -> str | None:
    try:
        re.compile(expression)
    except (re.error, OverflowError, RecursionError) as error:  # OverflowError: a repeat count out of range
        return f"the regular expression cannot be read: {error}"
    return None
