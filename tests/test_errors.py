"""Errors carry what, where, the value, what was expected and the remedy, across processes too."""

from __future__ import annotations

from paredown.errors import BackendMissing, ParedownError, Problem, SpecError


def test_an_error_reads_as_its_parts():
    error = ParedownError("not a share", where="ratio", value=1.5, expected="between 0 and 1", remedy="write 0.5")
    assert str(error) == "ratio: not a share\n  got: 1.5\n  expected: between 0 and 1\n  remedy: write 0.5"


def test_an_error_survives_the_way_between_processes():
    error = ParedownError.from_dict(BackendMissing("no torch", remedy="install it").to_dict())
    assert isinstance(error, BackendMissing)
    assert error.exit_code == 3
    assert error.problems == (Problem("no torch", remedy="install it"),)


def test_several_problems_are_one_error():
    error = SpecError.of([Problem("a", "x"), Problem("b", "y")])
    assert str(error) == "x: a\ny: b"
    assert error.exit_code == 2
