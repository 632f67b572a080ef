"""Plugins that are ill: what does not need them still works, and `doctor` shows what is wrong."""

from __future__ import annotations

import pytest
from helpers import QUICKSTART, paredown, paredown_json, small_spec, write_spec

BROKEN = "import a_module_that_nobody_has\n"
RAISING = """
from paredown.markers import hookimpl

@hookimpl
def register_components():
    raise RuntimeError("out of order")
"""
MISSPELT = """
from paredown.markers import hookimpl

@hookimpl
def register_component():
    return []
"""
SECOND_TORCH = """
from paredown.contracts import BackendInfo
from paredown.markers import hookimpl

@hookimpl
def register_backend():
    return BackendInfo("torch", "Another torch", (), "pip install another", ("cnn",), ("another", "Module"))
"""
ILL = {
    "broken": (BROKEN, "ModuleNotFoundError: No module named 'a_module_that_nobody_has'"),
    "raising": (RAISING, "RuntimeError: out of order"),
    "misspelt": (MISSPELT, "register_component"),
}


@pytest.fixture(scope="module", params=ILL)
def ill(request, plant):
    """An environment with one plugin that does not load, and what its traceback says."""
    source, reason = ILL[request.param]
    return request.param, plant(request.param, source), reason


def test_doctor_shows_its_traceback_and_exits_with_3(ill):
    name, env, reason = ill
    done = paredown("doctor", env=env)
    assert done.returncode == 3
    assert f"plugin {name} did not load:\nTraceback" in done.stdout
    assert reason in done.stdout
    assert "torch: ready" in done.stdout


def test_what_does_not_need_it_still_works(ill):
    name, env, _ = ill
    assert paredown("validate", QUICKSTART, env=env).returncode == 0
    listed = paredown_json("plugins", env=env)
    assert name in listed["failed"]
    assert name not in listed["plugins"]


def test_a_backend_that_does_not_load_is_a_missing_backend(plant, tmp_path):
    env = plant("mindspore", BROKEN)
    spec = write_spec(tmp_path / "spec.yaml", small_spec(backends=["mindspore"]))
    done = paredown("run", spec, "--out", tmp_path / "out", "--quiet", env=env)
    assert done.returncode == 3
    assert "the plugin `mindspore` did not load" in done.stderr
    assert "paredown doctor" in done.stderr


def test_two_plugins_of_one_name_are_shown_by_doctor_and_are_no_crash(plant):
    env = plant("second", SECOND_TORCH)
    done = paredown("doctor", env=env)
    assert done.returncode == 3
    assert "the backend `torch` is claimed twice: plugins `second` and `torch`" in done.stdout
    assert "uninstall `second` or `torch`" in done.stdout
    assert done.stderr == ""
    assert paredown_json("doctor", env=env)["conflict"]
    refused = paredown("validate", QUICKSTART, env=env)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: the backend `torch` is claimed twice")


def test_doctor_says_which_framework_is_missing_and_the_command(ghost):
    done = paredown("doctor", env=ghost)
    assert done.returncode == 0
    assert "ghost: missing no-such-framework; install with: pip install ghost-framework\n" in done.stdout
    assert paredown_json("doctor", env=ghost)["backends"]["ghost"]["missing"] == ["no-such-framework"]
