"""A plugin in a distribution of its own: installed, seen, validated, run on both backends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import PRUNE, ROOT, paredown, small_spec, write_spec

from paredown.errors import SpecError
from paredown.manager import Manager
from paredown.spec.loader import load_spec

SOURCE = ROOT / "examples" / "third_party"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> dict[str, str]:
    """The environment of a process that has the plugin installed; this process's own stays as it is."""
    target = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            *("uv", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"),
            *("--python", sys.executable, "--target", str(target), str(SOURCE)),
        ],
        check=True,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )
    return {"PYTHONPATH": str(target)}


def test_its_kind_and_options_stand_in_the_schema(installed):
    schema = json.loads(paredown("schema", env=installed).stdout)
    assert schema["$defs"]["LpCriterion"]["properties"]["p"]["exclusiveMinimum"] == 0


def test_it_is_listed_among_the_plugins(installed):
    listed = json.loads(paredown("plugins", "--json", env=installed).stdout)
    assert listed["plugins"]["example"]["criterion"] == ["lp"]


def test_wrong_options_are_one_error_with_the_place(installed, tmp_path):
    spec = write_spec(tmp_path / "spec.yaml", small_spec(steps=[PRUNE | {"criterion": {"kind": "lp", "p": -1}}]))
    done = paredown("validate", spec, env=installed)
    assert done.returncode == 2
    assert "steps[0].criterion.p" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_it_its_kind_is_unknown_and_stands_in_no_schema():
    registry = Manager.discover().registry
    with pytest.raises(SpecError, match="`lp`"):
        load_spec(small_spec(steps=[PRUNE | {"criterion": {"kind": "lp"}}]), registry)
    assert "LpCriterion" not in registry.json_schema()["$defs"]


def test_it_runs_on_both_backends_and_looks_on_after_each_step(installed, tmp_path):
    steps = [PRUNE | {"criterion": {"kind": "lp", "p": 3}}]
    spec = write_spec(
        tmp_path / "spec.yaml",
        small_spec(steps=steps, deploy={"runtime": {"kind": "onnxruntime"}, "max_metric_drop": 1.0}),
    )
    done = paredown(
        "compare", spec, "--out", tmp_path / "out", "--backend", "torch", "--backend", "paddle", env=installed
    )
    assert done.returncode == 0, done.stderr
    for backend in ("torch", "paddle"):
        plan = json.loads((tmp_path / "out" / backend / "seed-0" / "plan-0.json").read_text())
        assert plan["criterion"] == {"kind": "lp", "p": 3.0}
        assert plan["cuts"]
        log = (tmp_path / "out" / backend / "seed-0.log").read_text()
        assert f"paredown-example: prune on {backend}" in log


def test_its_own_tests_pass(installed):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(SOURCE / "tests")],
        capture_output=True,
        text=True,
        env={**os.environ, **installed},
        cwd=SOURCE,
    )
    assert done.returncode == 0, done.stdout
