"""`run` and `compare`: what they write, print and return, also when one of the backends is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from helpers import PRUNE, paredown, small_spec, write_spec

from paredown.results import Comparison, RunResult


@pytest.fixture(scope="module")
def comparison(tiny_runs) -> Comparison:
    return Comparison.model_validate_json((tiny_runs.out / "compare.json").read_text())


def test_a_missing_backend_exits_with_3_and_the_others_finish(tiny_runs, comparison):
    assert tiny_runs.done.returncode == 3, tiny_runs.done.stderr
    assert [(run.backend, run.seed) for run in comparison.runs] == [("torch", 0), ("paddle", 0)]
    assert (tiny_runs.out / "report.html").is_file()


def test_the_comparison_lists_the_failure_with_the_command_that_mends_it(tiny_runs, comparison):
    (failure,) = comparison.failures
    assert (failure.backend, failure.error) == ("ghost", "BackendMissing")
    assert failure.problems[0].remedy == "pip install ghost-framework"
    assert "pip install ghost-framework" in tiny_runs.done.stdout


def test_progress_is_plain_lines_on_standard_error(tiny_runs):
    lines = tiny_runs.done.stderr.splitlines()
    assert "torch, seed 0: step 1 of 2: prune" in lines
    assert "paddle, seed 0: done" in lines
    assert "ghost, seed 0: failed" in lines
    assert "\x1b" not in tiny_runs.done.stderr + tiny_runs.done.stdout


def test_the_table_and_the_places_are_on_standard_output(tiny_runs):
    assert f"report: {tiny_runs.out / 'report.html'}" in tiny_runs.done.stdout
    assert f"data:   {tiny_runs.out / 'compare.json'}" in tiny_runs.done.stdout


def test_nothing_half_written_is_left(tiny_runs):
    hidden = [path for path in tiny_runs.out.rglob(".*") if path.suffix != ".lock"]
    assert hidden == []


def test_quiet_json_is_json_alone(tiny_runs, comparison, ghost):
    done = paredown("compare", tiny_runs.spec, "--out", tiny_runs.out, "--backend", "torch", "--json", env=ghost)
    assert done.returncode == 0
    assert done.stderr == ""
    assert Comparison.model_validate_json(done.stdout).runs == comparison.runs[:1]


def test_quiet_shows_the_table_alone(tiny_runs, ghost):
    done = paredown("run", tiny_runs.spec, "--out", tiny_runs.out, "--quiet", env=ghost)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "torch, seed 0" in done.stdout


def test_run_on_a_missing_backend_exits_with_3_and_says_the_command(tiny_runs, ghost, tmp_path):
    done = paredown("run", tiny_runs.spec, "--backend", "ghost", "--out", tmp_path / "out", "--quiet", env=ghost)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("error: the backend `ghost` is not installed\n")
    assert "remedy: pip install ghost-framework" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("mode", "backend", "precision"),
    [("weight_only", "torch", "int8-weights"), ("dynamic", "paddle", "int8-dynamic"), ("fp16", "torch", "fp16")],
)
def test_a_mode_without_calibration_is_run_and_delivered(mode, backend, precision, tmp_path):
    deploy = {"runtime": {"kind": "onnxruntime"}, "prefer": "size", "max_metric_drop": 1.0}
    spec = write_spec(tmp_path / "spec.yaml", small_spec(steps=[{"kind": "quantize", "mode": mode}], deploy=deploy))
    done = paredown("run", spec, "--backend", backend, "--out", tmp_path / "out", "--quiet")
    assert done.returncode == 0, done.stderr
    result = RunResult.model_validate_json((tmp_path / "out" / backend / "seed-0" / "result.json").read_text())
    assert result.delivered == f"onnx/{precision}.onnx"
    assert (tmp_path / "out" / backend / "seed-0" / result.delivered).is_file()


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return write_spec(tmp_path_factory.mktemp("spec") / "spec.yaml", small_spec())


SPEC = "the spec"
WRONG = {
    "no such file": (("run", "nothing.yaml"), "nothing.yaml: there is no such file"),
    "a directory": (("compare", "."), "this is a directory"),
    "an empty name": (("validate", ""), "this is a directory"),
    "an unknown command": (("comapre", SPEC), "did you mean `compare`?"),
    "an unknown option": (("run", SPEC, "--bakend", "torch"), "did you mean `--backend`?"),
    "an unknown option of the root": (("--verison",), "did you mean `--version`?"),
    "a short option": (("run", SPEC, "-b", "torch"), "see `paredown --help`"),
    "a second spec": (("run", SPEC, "another.yaml"), "unrecognized arguments: another.yaml"),
    "no spec": (("run",), "SPEC"),
    "an unknown backend": (("run", SPEC, "--backend", "tensorflow"), "--backend: there is no backend `tensorflow`"),
    "a backend misspelt": (("compare", SPEC, "--backend", "torch", "--backend", "padle"), "did you mean `paddle`?"),
    "a negative seed": (("run", SPEC, "--seed", "-1"), "a whole number of at least 0"),
    "a seed that is no number": (("run", SPEC, "--seed", "1,2"), "give the option again"),
    "a seed too large": (("run", SPEC, "--seed", "4294967296"), "--seed: `seeds[0]` is out of range"),
    "an option without its value": (("run", SPEC, "--out"), "expected one argument"),
    "an unknown format": (("export", ".", "--format", "tflite"), "no result.json"),
    "no format": (("export", "."), "--format"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_clear_error(name, spec, refused):
    arguments, message = WRONG[name]
    assert message in refused(*(str(spec) if part == SPEC else part for part in arguments))


def test_the_process_itself_exits_with_2_and_no_traceback(spec):
    done = paredown("run", spec, "--backend", "tensorflow")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "error: --backend: there is no backend `tensorflow`"
    assert "Traceback" not in done.stderr


def test_out_that_is_a_file_is_refused_before_any_work(spec, tmp_path, refused):
    file = tmp_path / "file"
    file.write_text("mine")
    assert "this is a file" in refused("run", spec, "--out", file)
    assert file.read_text() == "mine"


def test_out_that_cannot_be_made_is_refused(spec, tmp_path, refused):
    (tmp_path / "file").write_text("mine")
    assert "cannot be written" in refused("run", spec, "--out", tmp_path / "file" / "out", "--quiet")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "torch").write_text("mine")
    assert "cannot be written" in refused("compare", spec, "--out", tmp_path / "out", "--quiet")


def test_a_spec_without_a_network_can_be_run_by_nobody(tmp_path, refused):
    spec = small_spec()
    del spec["model"]
    assert "`model` is missing" in refused("run", write_spec(tmp_path / "spec.yaml", spec))


def test_every_mistake_of_a_spec_is_said_with_its_line(tmp_path, refused):
    spec = write_spec(tmp_path / "spec.yaml", small_spec(seeds=[-1], steps=[PRUNE | {"ratio": 2}]))
    message = refused("compare", spec)
    assert message.count("error: ") == 2
    assert all(f"{spec}:" in line for line in message.splitlines() if line.startswith("error: "))


def _heed_interrupts():
    """A shell starts jobs in the background with interrupts ignored, and their children inherit it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_run_says_how_to_go_on(tmp_path, spec):
    command = [sys.executable, "-m", "paredown", "run", str(spec), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
        preexec_fn=_heed_interrupts,  # noqa: PLW1509 - it sets a signal and nothing else
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 130
    assert first == "torch, seed 0: baseline\n"
    assert "go on from the last finished step" in rest
    assert "Traceback" not in rest
