"""The network of a finished run as a teacher, whichever backend made it."""

from __future__ import annotations

from pathlib import Path

from paredown import files
from paredown.contracts import Model
from paredown.engine import artifact
from paredown.engine.run_files import SPEC
from paredown.engine.workbench import Workbench
from paredown.errors import ArtifactError, ModelError
from paredown.spec.teachers import ArtifactTeacher


def load_finished(bench: Workbench, teacher: ArtifactTeacher, place: str) -> Model:
    """The compressed network of the run that a teacher names, in this backend's framework.

    Raises:
        ArtifactError: The place holds no finished run, or one that cannot be rebuilt.
        ModelError: The network takes other images than the student.
    """
    try:
        directory = artifact.find_run(bench.context.base_dir / teacher.path)
        _require_images(bench, directory, place)
        return artifact.load(bench.manager, directory, bench.backend, trust=bench.trust)
    except ArtifactError as error:
        cause = error.problems[0]
        raise ArtifactError(
            f"the teacher cannot be loaded: {cause.what}",
            where=f"{place}.path",
            value=str(bench.context.base_dir / teacher.path),
            expected=cause.expected or "the directory of a finished run, such as OUT/torch/seed-0",
            remedy=cause.remedy or "mend `path`; a relative one starts from the spec's directory",
        ) from error


def _require_images(bench: Workbench, directory: Path, place: str) -> None:
    model = files.read_json(directory / SPEC).get("model")
    if model is None:
        return  # a network that a caller gave: loading it says why that cannot be
    found = (model["in_channels"], *model["input_size"])
    if found != bench.input_shape:
        raise ModelError(
            "the teacher was made for other images than the student",
            where=f"{place}.path",
            value=f"{found} (channels, height, width)",
            expected=str(bench.input_shape),
            remedy="name a run on the same data",
        )
