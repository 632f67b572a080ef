"""docs/spec.md holds every field, default and kind of the spec, and everything that is planned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
import yaml
from docs_pages import code_spans, rows, section_of, sections
from helpers import ROOT
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from paredown import builtin
from paredown.manager import Manager
from paredown.spec.planned import PLANNED_FIELDS, PLANNED_VALUES
from paredown.twins import WIDTHS
from paredown_onnxruntime import plugin as onnxruntime_plugin
from paredown_openvino import plugin as openvino_plugin
from paredown_paddle_inference import plugin as paddle_inference_plugin
from paredown_vision import plugin as vision_plugin

PAGE = ROOT / "docs" / "spec.md"
PLANNED = "Planned, refused by name"


def own_registry():
    """What we ship ourselves, whatever else is installed here."""
    manager = Manager()
    manager.register(vision_plugin, "vision")
    manager.register(onnxruntime_plugin, "onnxruntime")
    manager.register(openvino_plugin, "openvino")
    manager.register(paddle_inference_plugin, "paddle_inference")
    return manager.registry


def models_in(part: Any) -> Iterator[type[BaseModel]]:
    """The models of a type: of its fields, unions, containers and slots."""
    if isinstance(part, FieldInfo):
        yield from (model for piece in (part.annotation, *part.metadata) for model in models_in(piece))
    elif isinstance(part, type) and issubclass(part, BaseModel):
        yield part
        yield from (model for field in part.model_fields.values() for model in models_in(field))
    elif hasattr(part, "models"):
        yield from (model for choice in part.models.values() for model in models_in(choice))
    else:
        pieces = (*get_args(part), *getattr(part, "__metadata__", ()))
        yield from (model for piece in pieces for model in models_in(piece))


MODELS = {model.__name__: model for model in models_in(own_registry().spec_model())}


def shown_default(field: FieldInfo) -> str:
    """A default as the tables write it."""
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default is None:
        return "none"
    if isinstance(default, BaseModel):
        kind = {"kind": default.kind} if hasattr(default, "kind") else {}
        default = kind | default.model_dump(mode="json", exclude_defaults=True)
    if isinstance(default, tuple):
        default = [
            one.model_dump(mode="json", exclude_defaults=True) if isinstance(one, BaseModel) else one for one in default
        ]
    text = yaml.safe_dump(default, default_flow_style=True, sort_keys=False, width=1000)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"


@pytest.mark.parametrize("name", MODELS)
def test_every_field_stands_in_the_page_with_its_default(name):
    table = rows(section_of(PAGE, f"Schema: `{name}`"))
    assert {field: cells[1] for field, cells in table.items()} == {
        field: shown_default(info) for field, info in MODELS[name].model_fields.items()
    }


def test_no_section_is_about_a_model_that_is_gone():
    named = {
        line.removeprefix("Schema: `").removesuffix("`")
        for text in sections(PAGE).values()
        for line in text.splitlines()
        if line.startswith("Schema: ")
    }
    assert named == set(MODELS)


def test_every_kind_stands_in_the_page():
    registry = own_registry()
    kinds = {name for _, name in registry.components} | set(registry.steps)
    text = PAGE.read_text(encoding="utf-8")
    assert [kind for kind in sorted(kinds) if f"`kind: {kind}`" not in text] == []


def test_everything_planned_is_listed_and_nothing_else():
    text = "\n".join(line for line in sections(PAGE)[PLANNED].splitlines() if line.startswith("|"))
    listed = code_spans("\n".join(line.split("|")[2] for line in text.splitlines()))
    planned = {
        str(value).lower() if isinstance(value, bool) else str(value) for v in PLANNED_VALUES.values() for value in v
    }
    planned |= {field for fields in PLANNED_FIELDS.values() for field in fields}
    assert listed == planned


def test_the_table_of_widths_names_every_network_once_beside_others_of_the_same_widths():
    table = [line.split("|") for line in sections(PAGE)["Widths"].splitlines() if line.startswith("| `")]
    named = [code_spans(cells[1]) for cells in table]
    assert sorted(name for names in named for name in names) == sorted(WIDTHS)
    assert all(len({WIDTHS[name] for name in names}) == 1 for names in named)


def test_core_owns_what_the_page_says():
    assert {step.name for step in builtin.register_steps()} == set(own_registry().steps)
