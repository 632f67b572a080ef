"""A process that works for another one: its answer, and its end without one."""

from __future__ import annotations

from paredown.engine.conversing import converse, ending, start
from paredown.spec.models import RunConfig


def test_a_process_that_dies_without_an_answer_is_told_with_its_last_words(tmp_path):
    log = tmp_path / "log"
    with log.open("w") as errors:
        process = start("paredown.engine.no_such_module", RunConfig(), errors)
        assert converse(process, {}) is None
    assert ending(process, log).startswith("exit code 1; last line: ")
    assert ending(process, log).endswith("No module named paredown.engine.no_such_module")


def test_a_process_that_was_killed_is_told_with_the_signal():
    process = start("paredown.engine.worker", RunConfig())
    process.kill()
    assert converse(process, {}) is None
    assert ending(process) == "signal SIGKILL"
