"""The files that a spec names: another file of the same name makes another run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from paredown.engine.run_files import WEIGHTS
from paredown.spec.models import DistillStep, Spec
from paredown.spec.teachers import ArtifactTeacher, OnnxTeacher, ZooTeacher


def given_files(spec: Spec, base_dir: Path) -> str | None:
    """The digest of the weights and the teachers that a spec names; None where none of them is a file."""
    paths = [path for path in _paths(spec, base_dir) if path.is_file()]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    return hashlib.sha256("".join(digests).encode()).hexdigest() if len(digests) > 1 else next(iter(digests), None)


def _paths(spec: Spec, base_dir: Path) -> Iterator[Path]:
    if spec.model is not None and spec.model.weights:
        yield base_dir / spec.model.weights
    for step in spec.steps:
        if isinstance(step, DistillStep):
            yield from _of_step(step, base_dir)


def _of_step(step: DistillStep, base_dir: Path) -> Iterator[Path]:
    if step.student is not None and step.student.weights:
        yield base_dir / step.student.weights
    for _, teacher in step.named_teachers():
        if isinstance(teacher, ZooTeacher) and teacher.weights:
            yield base_dir / teacher.weights
        elif isinstance(teacher, OnnxTeacher):
            yield base_dir / teacher.path
        elif isinstance(teacher, ArtifactTeacher):
            directory = base_dir / teacher.path  # of the run, or one above it
            yield from sorted(path for below in ("", "*/") for path in directory.glob(f"{below}seed-*/{WEIGHTS}"))
            yield directory / WEIGHTS
