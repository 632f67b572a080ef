"""Imports what plugins name as `module:attribute`, when it is first used."""

from __future__ import annotations

import importlib
from typing import Any

from paredown.errors import PluginError


def import_attribute(target: str, owner: str) -> Any:
    """The object that `module:attribute` names.

    Raises:
        PluginError: The text is of another form, the module cannot be imported, or it has no such attribute.
    """
    module_name, colon, attribute = target.partition(":")
    if not (module_name and colon and attribute):
        raise PluginError(
            f"plugin `{owner}` names an implementation that cannot be imported",
            value=target,
            expected="`module:attribute`",
            remedy=f"report it to the makers of `{owner}`",
        )
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise PluginError(
            f"plugin `{owner}`: the module `{module_name}` cannot be imported: {error}",
            value=target,
            expected="a module that imports",
            remedy=f"see `paredown doctor` for what `{owner}` lacks, or reinstall it",
        ) from error
    found: Any = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise PluginError(
                f"plugin `{owner}`: the module `{module_name}` has no `{attribute}`",
                value=target,
                expected="an attribute that exists",
                remedy=f"do the versions of paredown and of `{owner}` fit? reinstall both",
            )
        found = getattr(found, name)
    return found
