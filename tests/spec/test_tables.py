"""The template, versions, the hash, and the table of what is planned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paredown.errors import SpecError
from paredown.registry import Registry
from paredown.spec import components, models
from paredown.spec.canonical import canonical_json, spec_hash
from paredown.spec.document import Document
from paredown.spec.loader import load_spec, load_text
from paredown.spec.migrations import migrate
from paredown.spec.planned import PLANNED_FIELDS, PLANNED_VALUES
from paredown.spec.template import TEMPLATE


def test_the_template_of_init_means_the_quickstart(registry: Registry, quickstart_file: Path) -> None:
    assert load_text(TEMPLATE, registry) == load_spec(quickstart_file, registry)


def test_the_hash_is_of_the_meaning_and_not_of_the_text(registry: Registry, quickstart: dict[str, Any]) -> None:
    spec = load_spec(quickstart, registry)
    reordered = load_spec({key: quickstart[key] for key in reversed(quickstart)}, registry)
    quickstart["steps"][1]["losses"][0]["weight"] = 0.70
    del quickstart["steps"][0]["granularity"]  # the default, written out or not
    assert spec_hash(load_spec(quickstart, registry)) == spec_hash(reordered) == spec_hash(spec)
    quickstart["steps"][1]["losses"][0]["temperature"] = 3
    assert spec_hash(load_spec(quickstart, registry)) != spec_hash(spec)
    assert load_text(canonical_json(spec), registry, is_json=True) == spec


def test_an_older_version_is_migrated_step_by_step() -> None:
    migrations = {
        1: lambda data: {**data, "version": 2, "trail": ["1 to 2"]},
        2: lambda data: {**data, "version": 3, "trail": [*data["trail"], "2 to 3"]},
    }
    migrated = migrate(Document(None, {"version": 1}), current=3, migrations=migrations)
    assert migrated.data == {"version": 3, "trail": ["1 to 2", "2 to 3"]}
    with pytest.raises(SpecError, match="newer") as caught:
        migrate(Document(None, {"version": 4}), current=3, migrations=migrations)
    assert caught.value.problems[0].expected == "`1` or `2` or `3`"


def test_what_is_planned_belongs_to_models_and_is_not_built(registry: Registry) -> None:
    known = {**vars(models), **vars(components)}
    for model, field in PLANNED_VALUES:
        assert field in known[model].model_fields
    for model, fields in PLANNED_FIELDS.items():
        assert not set(fields) & set(known[model].model_fields)
    built = {*registry.names("criterion"), *registry.names("observer"), *registry.names("distill_loss")}
    assert not built & {value for values in PLANNED_VALUES.values() for value in values}


def test_a_kind_that_is_planned_is_refused_by_name(
    registry: Registry, quickstart: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PLANNED_VALUES, ("Spec", "task"), ("panoptic_segmentation",))
    quickstart["task"]["kind"] = "panoptic_segmentation"
    with pytest.raises(SpecError, match="`panoptic_segmentation` is planned and not built yet") as caught:
        load_spec(quickstart, registry)
    assert "`classification`" in str(caught.value.problems[0].expected)
