"""Killed with SIGKILL in the middle of each step, a run goes on and ends with the same bytes."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from backend_processes import BackendProcess
from helpers import DISTILL, PRUNE, QUANTIZE, paredown, small_spec, write_spec
from whole_runs import Runner

FIRST = "baseline"
STAGES = ("step 1 of 3: prune", "step 2 of 3: distill", "step 3 of 3: quantize", "export", "measure")


@pytest.fixture(scope="module")
def forking(tmp_path_factory):
    """Starts what runs in processes of their own, which need not load the framework and its exporter again."""
    started = []

    def start(backend, spec, weights):
        process = BackendProcess(backend, tmp_path_factory.mktemp("forking"))
        started.append(process)
        runner = Runner(process)
        model = spec["model"] | {"weights": str(weights)}
        runner.run(spec | {"model": model, "baseline": {"epochs": 0}, "steps": [PRUNE]}, tmp_path_factory.mktemp("run"))
        return runner

    yield start
    for process in started:
        process.close()


@pytest.fixture(scope="module", params=["torch", "paddle"])
def case(request, tmp_path_factory, runners, forking):
    """A spec, and the files of its run when nothing interrupts it."""
    place = tmp_path_factory.mktemp(f"resume-{request.param}")
    training = DISTILL["train"] | {"epochs": 2}
    deploy = {"runtime": {"kind": "onnxruntime"}, "max_metric_drop": 1.0, "prefer": "size"}
    spec = small_spec(steps=[PRUNE, DISTILL | {"train": training}, QUANTIZE], deploy=deploy)
    directory, _, _ = runners[request.param].run(spec, place / "whole", place / "cache")
    runner = forking(request.param, spec, directory / "weights-baseline.safetensors")
    return SimpleNamespace(
        backend=request.param, runner=runner, spec=spec, path=write_spec(place / "spec.yaml", spec), place=place
    )


def contents(out: Path) -> dict[str, str]:
    """The digest of every file whose bytes are decided by the spec; times and latencies are not."""
    files = sorted(path for path in out.rglob("*") if path.suffix in (".safetensors", ".onnx"))
    files += sorted(out.rglob("plan-*.json"))
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def kill_command_in(stage: str, command: list[str], environment: dict[str, str]) -> bool:
    """Runs the command and kills the whole of it as soon as it says that it is in a stage."""
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env={**os.environ, **environment}
    )
    try:
        for line in process.stderr:
            if line.strip().endswith(stage):
                time.sleep(0.05)
                process.send_signal(signal.SIGKILL)
                return True
        return False
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_run_killed_in_every_stage_in_turn_ends_with_the_same_bytes(case):
    """The command first, with its worker; then the worker's work alone; the command again ends it."""
    out, cache = case.place / "killed", case.place / "other-cache"
    command = [sys.executable, "-m", "paredown", "run", str(case.path), "--backend", case.backend, "--out", str(out)]
    environment = {"PAREDOWN_CACHE": str(cache)}
    assert kill_command_in(FIRST, command, environment)
    wait_for_worker(out / case.backend)
    for stage in STAGES:
        assert case.runner.kill(stage, case.spec, out, cache), f"the run never came to: {stage}"
    done = paredown("run", case.path, "--backend", case.backend, "--out", out, env=environment)
    assert done.returncode == 0, done.stderr
    assert contents(out) == contents(case.place / "whole")
    finished = re.findall(r"step \d of 3", done.stderr)
    assert not finished, "finished steps were repeated"


def wait_for_worker(directory: Path) -> None:
    """The worker ends when its parent is gone; its lock goes with it."""
    import fcntl

    with (directory / ".seed-0.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def test_two_processes_do_not_work_in_one_place(case):
    import fcntl

    out = case.place / "whole"
    with (out / case.backend / ".seed-0.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = paredown("run", case.path, "--backend", case.backend, "--out", out)
    assert done.returncode == 2
    assert "another process" in done.stderr


def test_nothing_half_written_is_left(case):
    hidden = (case.place / "killed").rglob(".*")
    assert [path.name for path in hidden if path.is_file() and path.suffix != ".lock"] == []
