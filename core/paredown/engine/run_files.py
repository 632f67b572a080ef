"""The files of a finished run that others read."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from paredown import files
from paredown.errors import ArtifactError
from paredown.results import Pictures, RunResult

RESULT = "result.json"
SPEC = "spec.json"
WEIGHTS = "weights.safetensors"
PICTURES = "pictures.json"


def read_result(directory: Path) -> RunResult:
    """The result of a finished run.

    Raises:
        ArtifactError: It is missing or damaged.
    """
    try:
        return RunResult.model_validate(files.read_json(directory / RESULT))
    except ValidationError as error:
        raise ArtifactError(
            "the result of this run is damaged", where=str(directory / RESULT), remedy="run the spec again with --fresh"
        ) from error


def read_pictures(directory: Path, result: RunResult) -> Pictures | None:
    """The pictures of a finished run; None where it has none.

    Raises:
        ArtifactError: They are missing or damaged.
    """
    if result.pictures is None:
        return None
    path = directory / PICTURES
    try:
        return Pictures.model_validate(files.read_json(path))
    except ValidationError as error:
        raise ArtifactError(
            "the pictures of this run are damaged", where=str(path), remedy="run the spec again with --fresh"
        ) from error
