"""Whatever is done to the text of a spec, reading it gives a spec or a `SpecError`, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paredown.errors import SpecError
from paredown.registry import Registry
from paredown.spec.loader import load_spec, load_text
from paredown.spec.models import Spec

SETTINGS = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PIECES = st.one_of(
    st.sampled_from(
        [*"{}[],:-#&*!|>'\"%@`?\t\n\\ ", "<<: ", "---\n", "...", "&a ", "*a", "!!str ", '"\\U', "%YAML 9.9\n"]
    ),
    st.sampled_from(
        ["null", "true", "1e999", ".nan", "0x", "-0", "9" * 30, "kind", "\ufeff", "\u2028", "\x00", "\ud7ff"]
    ),
    st.text(max_size=5),
)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), PIECES), min_size=1, max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "ratio", "lr", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def read(text: str, registry: Registry, *, is_json: bool = False) -> None:
    try:
        assert isinstance(load_text(text, registry, is_json=is_json), Spec)
    except SpecError as error:
        for problem in error.problems:
            assert problem.what
            assert problem.where
            assert problem.expected
            assert problem.remedy


def edited(text: str, edits: list[tuple[float, int, str]]) -> str:
    for place, length, piece in edits:
        start = int(place * len(text))
        text = text[:start] + piece + text[start + length :]
    return text


@SETTINGS
@given(edits=EDITS)
def test_mutilated_yaml_gives_a_spec_error(
    edits: list[tuple[float, int, str]], registry: Registry, quickstart_file: Path
) -> None:
    read(edited(quickstart_file.read_text("utf-8"), edits), registry)


@SETTINGS
@given(edits=EDITS)
def test_mutilated_json_gives_a_spec_error(
    edits: list[tuple[float, int, str]], registry: Registry, quickstart: dict[str, Any]
) -> None:
    read(edited(json.dumps(quickstart, indent=1), edits), registry, is_json=True)


@SETTINGS
@given(text=st.text(max_size=60))
def test_any_text_gives_a_spec_error(text: str, registry: Registry) -> None:
    read(text, registry)
    read(text, registry, is_json=True)


def paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(deeper for key, value in items for deeper in paths(value, (*path, key)))]


@SETTINGS
@given(choice=st.floats(0, 1, exclude_max=True), value=VALUES)
def test_any_value_at_any_place_gives_a_spec_error(
    choice: float, value: Any, registry: Registry, quickstart: dict[str, Any]
) -> None:
    places = paths(quickstart)[1:]
    *parents, last = places[int(choice * len(places))]
    target: Any = json.loads(json.dumps(quickstart))
    root = target
    for part in parents:
        target = target[part]
    target[last] = value
    try:
        load_spec(root, registry)
    except SpecError as error:
        for problem in error.problems:
            assert problem.what
            assert problem.expected
            assert problem.remedy
