"""docs/results.md holds every field of every result."""

from __future__ import annotations

import dataclasses

import pytest
from docs_pages import rows, section_of, sections
from helpers import ROOT

from paredown import results
from paredown.cli.app import INTERRUPTED
from paredown.cli.running import DONE, FAILED, MISSED
from paredown.errors import ParedownError, Problem
from paredown.spec.base import Frozen

PAGE = ROOT / "docs" / "results.md"
MODELS = {
    name: model
    for name, model in vars(results).items()
    if isinstance(model, type) and issubclass(model, Frozen) and model.__module__ == results.__name__
}


@pytest.mark.parametrize("name", MODELS)
def test_every_field_of_a_result_stands_in_the_page(name):
    section = section_of(PAGE, f"Model: `{name}`").partition("Model: `Problem`")[0]
    assert set(rows(section)) == set(MODELS[name].__annotations__)


def test_every_part_of_a_problem_stands_in_the_page():
    section = section_of(PAGE, "Model: `Problem`").partition("Model: `Problem`")[2]
    assert set(rows(section)) == {field.name for field in dataclasses.fields(Problem)}


def test_every_exit_code_stands_in_the_page():
    table = {line.split("|")[1].strip() for line in sections(PAGE)["Exit codes"].splitlines() if line.startswith("|")}
    raised = {error.exit_code for error in [ParedownError, *descendants(ParedownError)]}
    assert {str(code) for code in {DONE, MISSED, FAILED, INTERRUPTED} | raised} <= table


def descendants(cls):
    return [child for direct in cls.__subclasses__() for child in (direct, *descendants(direct))]
