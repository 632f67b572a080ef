"""The Python side of the command: the same verbs, the same results, the same errors."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml
from helpers import PRUNE, small_spec

import paredown
from paredown.errors import ArtifactError, BackendMissing, SpecError
from paredown.spec.canonical import spec_hash


def test_every_public_name_can_be_imported():
    assert set(paredown.__all__) <= set(dir(paredown))
    for name in paredown.__all__:
        assert getattr(paredown, name).__module__.startswith(("paredown", "pluggy")), name
    with pytest.raises(AttributeError, match="no attribute 'comprss'"):
        _ = paredown.comprss


def test_a_star_import_brings_the_public_names_and_no_framework():
    code = (
        "from paredown import *; import sys; print(compress.__name__, 'torch' in sys.modules, 'paddle' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "compress False False\n", done.stderr


def test_a_spec_may_be_a_file_a_mapping_or_a_spec(tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(small_spec()))
    first = paredown.load_spec(small_spec())
    assert isinstance(first, paredown.Spec)
    others = [paredown.load_spec(source) for source in (path, str(path), first)]
    assert {spec_hash(spec) for spec in others} == {spec_hash(first)}


def test_run_gives_what_the_command_wrote(tiny_runs):
    spec = yaml.safe_load(tiny_runs.spec.read_text()) | {"backends": ["torch", "paddle"]}
    result = paredown.run(spec, backend="paddle", out=tiny_runs.out)
    assert isinstance(result, paredown.RunResult)
    written = (tiny_runs.run("paddle") / "result.json").read_text()
    assert result == paredown.RunResult.model_validate_json(written)


def test_compare_writes_and_gives_the_comparison(tiny_runs):
    spec = yaml.safe_load(tiny_runs.spec.read_text()) | {"backends": ["torch", "paddle"]}
    before = (tiny_runs.out / "compare.json").read_bytes(), (tiny_runs.out / "report.html").read_bytes()
    try:
        comparison = paredown.compare(spec, out=tiny_runs.out)
        assert isinstance(comparison, paredown.Comparison)
        assert [run.backend for run in comparison.runs] == ["torch", "paddle"]
        assert comparison.agreement[0].backends == ("torch", "paddle")
        assert json.loads((tiny_runs.out / "compare.json").read_text())["failures"] == []
    finally:
        (tiny_runs.out / "compare.json").write_bytes(before[0])
        (tiny_runs.out / "report.html").write_bytes(before[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backend": "tensorflow"}, "there is no backend `tensorflow`"),
        ({"seed": -1}, "out of range"),
        ({"spec": small_spec(steps=[PRUNE | {"kind": "prnue"}])}, "did you mean `prune`?"),
        ({"spec": {name: part for name, part in small_spec().items() if name != "data"}}, "`data` is missing"),
        ({"spec": "nothing.yaml"}, "there is no such file"),
    ],
)
def test_wrong_input_is_one_clear_error_before_any_work(arguments, message, tmp_path):
    with pytest.raises(SpecError) as caught:
        paredown.run(**{"spec": small_spec(), "out": tmp_path / "out", **arguments})
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_wrong_choices_for_compare_are_refused_before_any_work(tmp_path):
    with pytest.raises(SpecError, match="tensorflow"):
        paredown.compare(small_spec(), backends=["torch", "tensorflow"], out=tmp_path / "out")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ArtifactError, match="this is a file"):
        paredown.compare(small_spec(), out=tmp_path / "file")
    with pytest.raises(ArtifactError, match="a file is missing"):
        paredown.load(tmp_path)


def test_a_missing_framework_is_an_error_with_the_command(tmp_path, ghost, monkeypatch):
    monkeypatch.syspath_prepend(ghost["PYTHONPATH"])
    with pytest.raises(BackendMissing) as caught:
        paredown.run(small_spec(backends=["ghost"]), out=tmp_path / "out")
    assert "pip install ghost-framework" in str(caught.value)
