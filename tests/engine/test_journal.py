"""What a run remembers of itself."""

from __future__ import annotations

import pytest

from paredown import files
from paredown.engine.journal import Journal, read_plan
from paredown.errors import ArtifactError
from paredown.results import StepRecord

KEY = {"spec": "abc", "backend": "torch", "seed": 0}


def record(index: int, *, replayable: bool = True) -> StepRecord:
    weights = f"weights-{index}.safetensors"
    return StepRecord(
        index=index, kind="x", plan=None, weights=weights, seconds=1.0, evidence={"a": 1}, replayable=replayable
    )


def test_what_is_finished_is_known_when_it_is_opened_again(tmp_path):
    journal = Journal.open(tmp_path, KEY)
    journal.finish_baseline("weights-baseline.safetensors", ("a note",))
    journal.finish_step(record(0))
    again = Journal.open(tmp_path, KEY)
    assert again.baseline == "weights-baseline.safetensors"
    assert again.notes == ("a note",)
    assert again.steps == (record(0),)


def test_a_network_that_cannot_be_rebuilt_is_made_again_from_the_step_before(tmp_path):
    journal = Journal.open(tmp_path, KEY)
    for one in (record(0), record(1, replayable=False), record(2)):
        journal.finish_step(one)
    assert Journal.open(tmp_path, KEY).steps == (record(0),)


def test_another_run_is_refused_and_what_differs_is_named(tmp_path):
    Journal.open(tmp_path, KEY).finish_baseline("w", ())
    with pytest.raises(ArtifactError) as caught:
        Journal.open(tmp_path, KEY | {"seed": 1})
    assert caught.value.problems[0].value == "another seed"
    assert "--fresh" in caught.value.problems[0].remedy


@pytest.mark.parametrize("content", ["", "{", "[]", '{"steps": 1}'])
def test_a_damaged_journal_is_an_error_of_ours(tmp_path, content):
    (tmp_path / "journal.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"journal\.json"):
        Journal.open(tmp_path, KEY)


def test_a_damaged_plan_is_an_error_of_ours(tmp_path):
    files.write_json(tmp_path / "plan-0.json", {"kind": "prune"})
    with pytest.raises(ArtifactError, match=r"plan-0\.json"):
        read_plan(tmp_path / "plan-0.json")
