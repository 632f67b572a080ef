"""Files that are no spec at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from paredown.errors import Problem, SpecError
from paredown.registry import Registry
from paredown.spec.loader import load_spec, load_text


def refusal(path: Path, registry: Registry) -> Problem:
    with pytest.raises(SpecError) as caught:
        load_spec(path, registry)
    (problem,) = caught.value.problems
    assert problem.value
    assert problem.expected
    assert problem.remedy
    return problem


@pytest.mark.parametrize(
    ("content", "what", "place"),
    [
        (b"", "empty", ""),
        (b"# only a comment\n", "empty", ""),
        (b"name: \xff\n", "not UTF-8", ":1:7"),
        (b"name: x\ntitle: \xc3\xa9\xe9\n", "not UTF-8", ":2:9"),
        (b"\xff\xfev\x00", "not UTF-8", ":1:1"),
        (b"- version: 1\n", "not a mapping", ":1:1"),
        (b"version\n", "not a mapping", ":1:1"),
        (b"a: b: c\n", "not YAML", ":1:5"),
        (b"a: \x07\n", "a character that YAML does not allow", ":1:4"),
        (b'a: "\\UFFFFFFFF"\n', "out of range", ""),
        (b'a: "\\ud800"\n', "half of a surrogate pair", ":1:4: a"),
        (b"a: " + b"9" * 5000, "too many digits", ":1:4: a"),
        (b"a: " + b"[" * 5000, "levels of nesting", ":1:36"),
        (b"a: " + b"x" * 300_000, "too large", ""),
        (b"a: &a [1,1,1,1,1,1,1,1,1]\n" + b"".join(
            b"%c: &%c [%s]\n" % (ord("b") + i, ord("b") + i, b",".join([b"*%c" % (ord("a") + i)] * 9)) for i in range(8)
        ), "too many values", ":1:4"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_spec_is_told_so(
    content: bytes, what: str, place: str, registry: Registry, tmp_path: Path
) -> None:
    file = tmp_path / "broken.yaml"
    file.write_bytes(content)
    problem = refusal(file, registry)
    assert what in problem.what
    assert (problem.where or "").startswith(f"{file}{place}")


def test_a_missing_file_a_directory_and_a_senseless_path(registry: Registry, tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "nothing.yaml", registry).what
    assert "a directory" in refusal(tmp_path, registry).what
    assert "cannot be read" in refusal(Path("nul\0l.yaml"), registry).what
    assert "cannot be read" in refusal(tmp_path / ("x" * 5000), registry).what


@pytest.mark.parametrize(
    ("text", "what", "place"),
    [
        ("", "empty", "s.json"),
        ("[1]", "not a mapping", "s.json:1:1"),
        ('{"version": 1,}', "a key that is not text", "s.json:1:15"),
        ('{"version": 1 "name": 2}', "not JSON", "s.json:1:15"),
        ('{"version": 1, "version": 2}', "given twice", "s.json:1:16: version"),
        ('{"version":\n  NaN}', "not JSON", "s.json:2:3"),
        ('{"version": 01}', "not JSON", "s.json:1:14"),
        ('{"version": "a\nb"}', "not JSON", "s.json:1:15"),
        ('{"version": 1} x', "more text", "s.json:1:16"),
        ('{"version": 1', "not JSON", "s.json:1:14"),
        ('{"version": "\\ud800"}', "half of a surrogate", "s.json:1:13"),
        ('{"version":\n\t3}', "newer", "s.json:2:2: version"),
        ('{"a":' * 100, "levels of nesting", "s.json:1:166"),
    ],
)
def test_json_is_read_strictly_and_with_places(text: str, what: str, place: str, registry: Registry) -> None:
    with pytest.raises(SpecError) as caught:
        load_text(text, registry, name="s.json", is_json=True)
    (problem,) = caught.value.problems
    assert what in problem.what
    assert (problem.where or "").startswith(place)
