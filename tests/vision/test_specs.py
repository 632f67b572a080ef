"""Specs whose data cannot be what the spec says: one problem, before anything is read."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import small_spec

from paredown.errors import Problem, SpecError
from paredown.manager import Manager
from paredown.spec.loader import load_spec


def problem_of(**changes: Any) -> Problem:
    with pytest.raises(SpecError) as caught:
        load_spec(small_spec(**changes), Manager.discover().registry)
    assert len(caught.value.problems) == 1, str(caught.value)
    return caught.value.problems[0]


def test_labels_for_another_task_are_refused() -> None:
    problem = problem_of(data={"kind": "digit_scenes", "target": "detection"})
    assert problem.where is not None
    assert "task.kind" in problem.where
    assert problem.what == "the labels of `digit_scenes` are not for the task `classification`"
    assert problem.expected == "`detection`"


def test_the_fewest_digits_are_not_more_than_the_most() -> None:
    problem = problem_of(
        data={"kind": "digit_scenes", "target": "detection", "objects": [3, 2]}, task={"kind": "classification"}
    )
    assert problem.what == "the fewest are more than the most"
    assert problem.where is not None
    assert "data.objects" in problem.where
