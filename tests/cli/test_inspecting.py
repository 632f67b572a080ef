"""The commands that look and do not run: validate, init, schema, plugins, doctor, and help."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from helpers import QUICKSTART, paredown, small_spec, write_spec

COMMANDS = ("run", "compare", "validate", "explain", "init", "schema", "plugins", "doctor", "export")


def test_help_names_every_command_and_the_exit_codes_and_cuts_nothing_off():
    done = paredown("--help", env={"COLUMNS": "80"})
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "..." not in done.stdout.partition("\n")[2]
    assert all(any(line.split()[:1] == [name] for line in lines) for name in COMMANDS)
    assert "exit codes:" in lines
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, command):
    done = command(name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: paredown {name}")


def test_the_version_is_the_distributions(command):
    from importlib.metadata import version

    assert command("--version").stdout == f"paredown {version('paredown')}\n"


def test_without_a_command_there_is_help_and_exit_code_2(command):
    done = command()
    assert done.returncode == 2
    assert done.stdout == ""
    assert "usage: paredown" in done.stderr


def test_validate_says_what_a_spec_holds(command):
    done = command("validate", QUICKSTART)
    assert done.returncode == 0
    assert done.stdout == f"{QUICKSTART}: valid (prune > distill > quantize; torch, paddle)\n"
    facts = json.loads(command("validate", QUICKSTART, "--json").stdout)
    assert facts["valid"]
    assert facts["steps"] == ["prune", "distill", "quantize"]
    assert facts["backends"] == ["torch", "paddle"]
    assert len(facts["hash"]) == 64


def test_a_new_spec_is_valid_and_means_the_quickstart(command, tmp_path):
    path = tmp_path / "new" / "spec.yaml"
    done = command("init", path)
    assert done.returncode == 0
    assert f"next: paredown validate {path}" in done.stdout
    hashes = [json.loads(command("validate", spec, "--json").stdout)["hash"] for spec in (path, QUICKSTART)]
    assert hashes[0] == hashes[1]


def test_init_overwrites_only_when_told_to(command, tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text("mine")
    refused = command("init", path)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert path.read_text() == "mine"
    assert command("init", path, "--force").returncode == 0
    assert path.read_text() != "mine"
    assert list(tmp_path.iterdir()) == [path]
    assert "a directory of this name exists" in command("init", tmp_path, "--force").stderr


def test_the_schema_takes_the_quickstart_apart(command):
    schema = json.loads(command("schema").stdout)
    assert schema["title"] == "Spec"
    assert {"L2Criterion", "DigitsConfig", "OnnxRuntimeConfig"} <= schema["$defs"].keys()


def test_a_reader_that_stops_early_is_no_error():
    reader = f"{sys.executable} -m paredown schema | head -n 1"
    done = subprocess.run(reader, shell=True, capture_output=True, text=True)
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_plugins_lists_what_each_brings(command):
    found = json.loads(command("plugins", "--json").stdout)
    assert found["failed"] == {}
    assert found["plugins"]["core"]["step"] == ["prune", "finetune", "distill", "quantize"]
    assert found["plugins"]["torch"]["distill_loss for torch"][:2] == ["hard_label", "kl"]
    assert found["plugins"]["vision"]["data"][:2] == ["digits", "fashion_mnist"]
    text = command("plugins").stdout
    assert "  data: digits, fashion_mnist" in text


def test_doctor_says_what_is_ready(command):
    found = json.loads(command("doctor", "--json").stdout)
    assert found["missing"] == []
    assert found["backends"]["torch"]["missing"] == []
    assert found["backends"]["torch"]["versions"].keys() >= {"torch", "torch-pruning"}
    done = command("doctor")
    assert done.returncode == 0
    assert "torch: ready (torch " in done.stdout
    assert "paddle: ready (paddlepaddle " in done.stdout


def test_output_in_a_terminal_of_ascii_alone_is_no_error(tmp_path):
    spec = write_spec(tmp_path / "späc.yaml", small_spec())
    done = subprocess.run(
        [sys.executable, "-m", "paredown", "validate", str(spec)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0, done.stderr
    assert b"sp\\xe4c.yaml: valid" in done.stdout
