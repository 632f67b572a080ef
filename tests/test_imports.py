"""What starting costs: commands that look and do not run import nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from helpers import QUICKSTART

HEAVY = {"torch", "paddle", "numpy", "rich", "onnx", "onnxruntime", "onnxslim", "sklearn", "jinja2", "plotly"}
REPORT = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr))
sys.argv = ["paredown", *json.loads(sys.argv[1])]
from paredown.cli import main
main()
"""


def imported_by(*arguments: str) -> set[str]:
    """The top-level modules that a command imports."""
    done = subprocess.run([sys.executable, "-c", REPORT, json.dumps(arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments", [("--help",), ("run", "--help"), ("--version",)], ids=["help", "help of run", "version"]
)
def test_help_imports_next_to_nothing(arguments):
    assert imported_by(*arguments) & (HEAVY | {"pydantic", "pluggy", "yaml"}) == set()


@pytest.mark.parametrize("arguments", [("validate", str(QUICKSTART)), ("schema",), ("plugins",)])
def test_what_only_looks_imports_no_framework_no_numpy_and_no_rich(arguments):
    assert imported_by(*arguments) & HEAVY == set()


def test_validate_with_every_plugin_registered_sees_the_plugins():
    assert {"paredown_torch", "paredown_paddle"} <= imported_by("validate", str(QUICKSTART))


def test_the_package_itself_imports_nothing():
    code = "import sys; import paredown; print([name for name in sys.modules if name.startswith('paredown')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "['paredown']\n"
