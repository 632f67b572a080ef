"""One finished comparison for all of these tests, and plugins that are ill on purpose."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from helpers import PRUNE, QUANTIZE, paredown, small_spec, write_spec

from paredown.cli.app import run_app

GHOST = """
from paredown.contracts import BackendInfo
from paredown.markers import hookimpl

@hookimpl
def register_backend():
    return BackendInfo(
        name="ghost", title="Ghost", distributions=("no-such-framework",), install="pip install ghost-framework",
        models=("cnn", "resnet20"), base_class=("ghost", "Network"),
    )
"""


@dataclass(frozen=True)
class Runs:
    """A spec, what `compare` said of it, and where it wrote."""

    spec: Path
    out: Path
    done: subprocess.CompletedProcess[str]

    def run(self, backend: str) -> Path:
        """The directory of one backend's run."""
        return self.out / backend / "seed-0"


@pytest.fixture(scope="session")
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command in this process: for what must not start a run, where starting Python would be most of the work."""

    def command(*arguments: object) -> subprocess.CompletedProcess[str]:
        given = ["paredown", *map(str, arguments)]
        out, err = StringIO(), StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", given)
            with pytest.raises(SystemExit) as ended:
                run_app()
        return subprocess.CompletedProcess(given, ended.value.code, out.getvalue(), err.getvalue())

    return command


@pytest.fixture
def refused(command) -> Callable[..., str]:
    """The message of a command that must be refused: exit code 2, one kind of text, nothing on standard output."""

    def refused(*arguments: object) -> str:
        done = command(*arguments)
        assert done.returncode == 2, done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("error: ")
        return done.stderr

    return refused


@pytest.fixture(scope="session")
def tiny_runs(tmp_path_factory, baseline_cache, ghost) -> Runs:
    """A comparison of torch, Paddle and a backend whose framework is not installed."""
    place = tmp_path_factory.mktemp("tiny")
    steps = [PRUNE, QUANTIZE]
    spec = write_spec(
        place / "spec.yaml",
        small_spec(
            steps=steps,
            deploy={"runtime": {"kind": "onnxruntime"}, "prefer": "size", "max_metric_drop": 1.0},
            backends=["torch", "ghost", "paddle"],
        ),
    )
    done = paredown("compare", spec, "--out", place / "out", env={**ghost, "PAREDOWN_CACHE": str(baseline_cache)})
    return Runs(spec, place / "out", done)


@pytest.fixture(scope="session")
def plant(tmp_path_factory) -> Callable[..., dict[str, str]]:
    """Makes the environment of a process that has one more plugin installed, of the given source."""

    def plant(name: str, source: str) -> dict[str, str]:
        site = tmp_path_factory.mktemp(name)
        (site / f"{name}_plugin.py").write_text(source)
        metadata = site / f"{name}_plugin-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[paredown]\n{name} = {name}_plugin\n")
        return {"PYTHONPATH": os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))}

    return plant


@pytest.fixture(scope="session")
def ghost(plant) -> dict[str, str]:
    """An environment with a backend whose framework is not installed."""
    return plant("ghost", GHOST)
