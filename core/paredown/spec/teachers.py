"""The static models of who teaches in a distillation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from paredown.spec.base import Frozen
from paredown.spec.training import BaselineConfig, Width


class BaselineTeacher(Frozen):
    """The uncompressed network of this run teaches."""

    kind: Literal["baseline"] = "baseline"


class ZooTeacher(Frozen):
    """Another network of the zoo teaches; it takes the images of the spec's network.

    It is trained by `train` and kept in the cache, or takes `weights` (`pretrained` or the path of a safetensors file
    in neutral names, relative to the spec), or both, one after the other.
    """

    kind: Literal["zoo"] = "zoo"
    name: str
    num_classes: Annotated[int | None, Field(ge=2)] = None
    weights: str | None = None
    width: Width = 1.0
    train: BaselineConfig | None = None


class ArtifactTeacher(Frozen):
    """The compressed network of a finished run teaches; `path` is the run's directory, relative to the spec."""

    kind: Literal["artifact"] = "artifact"
    path: Annotated[str, Field(min_length=1)]


class OnnxTeacher(Frozen):
    """An ONNX file teaches by its first output; `path` is relative to the spec."""

    kind: Literal["onnx"] = "onnx"
    path: Annotated[str, Field(min_length=1)]


SingleTeacher = Annotated[
    BaselineTeacher | ZooTeacher | ArtifactTeacher | OnnxTeacher,
    Field(discriminator="kind"),
]


class EnsembleTeacher(Frozen):
    """Several teachers of any kind: the mean of their outputs teaches."""

    kind: Literal["ensemble"] = "ensemble"
    members: Annotated[tuple[SingleTeacher, ...], Field(min_length=2)]


TeacherConfig = Annotated[
    BaselineTeacher | ZooTeacher | ArtifactTeacher | OnnxTeacher | EnsembleTeacher,
    Field(discriminator="kind"),
]


def is_trained(teacher: TeacherConfig) -> bool:
    """Whether a teacher is trained in the run that it teaches in."""
    return isinstance(teacher, ZooTeacher) and teacher.train is not None and teacher.train.epochs > 0
