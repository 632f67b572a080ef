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

import pytest
from helpers import DISTILL, PRUNE, QUANTIZE, paredown, small_spec, write_spec

STAGES = ("baseline", "step 1 of 3: prune", "step 2 of 3: distill", "step 3 of 3: quantize", "export", "measure")


@pytest.fixture(scope="module", params=["torch", "paddle"])
def case(request, tmp_path_factory):
    """A spec, and the files of its run when nothing interrupts it."""
    place = tmp_path_factory.mktemp(f"resume-{request.param}")
    training = DISTILL["train"] | {"epochs": 2}
    deploy = {"runtime": {"kind": "onnxruntime"}, "max_metric_drop": 1.0, "prefer": "size"}
    spec = small_spec(steps=[PRUNE, DISTILL | {"train": training}, QUANTIZE], deploy=deploy)
    path = write_spec(place / "spec.yaml", spec)
    environment = {"PAREDOWN_CACHE": str(place / "cache")}
    done = paredown("run", path, "--backend", request.param, "--out", place / "whole", env=environment)
    assert done.returncode == 0, done.stderr
    return request.param, path, place, contents(place / "whole")


def contents(out: Path) -> dict[str, str]:
    """The digest of every file whose bytes are decided by the spec; times and latencies are not."""
    files = sorted(path for path in out.rglob("*") if path.suffix in (".safetensors", ".onnx"))
    files += sorted(out.rglob("plan-*.json"))
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def kill_in(stage: str, command: list[str], environment: dict[str, str]) -> bool:
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
    backend, path, place, expected = case
    command = [sys.executable, "-m", "paredown", "run", str(path), "--backend", backend, "--out", str(place / "killed")]
    environment = {"PAREDOWN_CACHE": str(place / "other-cache")}
    for stage in STAGES:
        assert kill_in(stage, command, environment), f"the run never came to: {stage}"
        wait_for_worker(place / "killed" / backend)
    done = paredown("run", path, "--backend", backend, "--out", place / "killed", env=environment)
    assert done.returncode == 0, done.stderr
    assert contents(place / "killed") == expected
    finished = re.findall(r"step \d of 3", done.stderr)
    assert not finished, "finished steps were repeated"


def wait_for_worker(directory: Path) -> None:
    """The worker ends when its parent is gone; its lock goes with it."""
    import fcntl

    with (directory / ".seed-0.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def test_two_processes_do_not_work_in_one_place(case):
    backend, path, place, _ = case
    import fcntl

    with (place / "whole" / backend / ".seed-0.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = paredown("run", path, "--backend", backend, "--out", place / "whole")
    assert done.returncode == 2
    assert "another process" in done.stderr


def test_nothing_half_written_is_left(case):
    _, _, place, _ = case
    assert [path.name for path in (place / "killed").rglob(".*") if path.is_file() and path.suffix != ".lock"] == []
