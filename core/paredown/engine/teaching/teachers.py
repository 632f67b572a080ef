"""Teachers of every kind: networks of this framework, files that core runs, and the mean of several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paredown.algorithms.outputs import first
from paredown.contracts import FloatArray, Model, ModelSource, State
from paredown.engine.networks import Recipe, digest, initialised, prepared, require_shareable
from paredown.engine.provenance import distributions, versions
from paredown.engine.teaching.finished import load_finished
from paredown.engine.teaching.onnx_file import OnnxFile
from paredown.engine.workbench import Workbench
from paredown.errors import HookFailed, ModelError
from paredown.spec.nearest import listed
from paredown.spec.teachers import (
    ArtifactTeacher,
    BaselineTeacher,
    EnsembleTeacher,
    OnnxTeacher,
    TeacherConfig,
    ZooTeacher,
    is_trained,
)
from paredown.spec.widths import at_width

_SHOWN = 4
"""How many arrays an error names."""


@dataclass(frozen=True, slots=True)
class Teacher:
    """Who teaches.

    `model` is a network of this framework; None where core itself runs the teacher. `outputs` gives the output, of
    several the first, float32, for a batch of images either way. `content` tells all that they depend on, as JSON
    values; None before the teacher is trained. `random` names the arrays that nobody trained, nor will.
    """

    title: str
    outputs: Callable[[FloatArray], FloatArray]
    model: Model | None = None
    content: Any = None
    random: tuple[str, ...] = ()


def make_teacher(bench: Workbench, config: TeacherConfig, baseline: State, place: str) -> Teacher:
    """The teacher, trained where the spec says so, checked against the student's images and classes.

    Args:
        bench: The run.
        config: What the spec says.
        baseline: The arrays of the run's baseline.
        place: Where the spec names the teacher, for errors.

    Raises:
        ModelError, ArtifactError, WeightsError: It is missing, or does not fit.
    """
    if isinstance(config, EnsembleTeacher):
        members = [
            make_teacher(bench, member, baseline, f"{place}.members[{index}]")
            for index, member in enumerate(config.members)
        ]
        return _mean(members)
    if isinstance(config, BaselineTeacher):
        return _of_network(bench, bench.build(state=baseline), "baseline")
    if isinstance(config, ZooTeacher):
        model, notes = prepared(bench, _recipe(bench, config))
        for note in notes:
            bench.report("note", text=f"{_title(config)}: {note}")
        return _of_network(bench, model, _title(config))
    return _loaded(bench, config, place)


def check_teacher(bench: Workbench, config: TeacherConfig, place: str) -> Teacher:
    """The teacher as it is before any training, checked; what is trained later has its first weights here.

    Raises:
        ModelError, ArtifactError, WeightsError: It is missing, or does not fit.
    """
    if isinstance(config, EnsembleTeacher):
        members = [
            check_teacher(bench, member, f"{place}.members[{index}]") for index, member in enumerate(config.members)
        ]
        return _mean(members)
    if isinstance(config, BaselineTeacher):
        model = bench.build()
        return Teacher("baseline", _evaluated(bench, model), model)
    if isinstance(config, ZooTeacher):
        recipe = _recipe(bench, config)
        require_shareable(bench, recipe)
        beginning = initialised(bench, recipe)
        random = () if is_trained(config) else beginning.drawn
        return Teacher(_title(config), _evaluated(bench, beginning.model), beginning.model, random=random)
    return _loaded(bench, config, place)


def require_outputs(bench: Workbench, teacher: Teacher, shape: tuple[int, ...], place: str) -> None:
    """Refuses a teacher whose outputs for an image have another shape than the student's.

    Raises:
        ModelError: It does not take the images, has another number of outputs, or was never trained to give them.
    """
    if teacher.random:
        raise ModelError(
            f"the teacher's outputs would be random: {_some(teacher.random)} initialised anew",
            where=place,
            value=teacher.title,
            expected="weights for all of its layers",
            remedy="add `train`, or compare features alone",
        )
    images = np.zeros((2, *bench.input_shape), np.float32)
    try:
        found = teacher.outputs(images).shape
    except HookFailed as error:
        raise ModelError(
            f"the teacher does not take the images of the data: {error.__cause__}",
            where=place,
            value=f"images of shape {images.shape}",
            expected="a network for images of this size",
            remedy="choose another teacher",
        ) from error
    if found != (2, *shape):
        raise ModelError(
            "the teacher's outputs are not the student's",
            where=place,
            value=f"{teacher.title}: {_counted(found[1:])}",
            expected=f"{_counted(shape)}, as of the student",
            remedy="choose a teacher for the same classes, or losses that read features alone",
        )


def _some(names: tuple[str, ...]) -> str:
    return listed(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _counted(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} outputs" if len(shape) == 1 else f"outputs of shape {shape}"


def _loaded(bench: Workbench, config: ArtifactTeacher | OnnxTeacher, place: str) -> Teacher:
    if isinstance(config, ArtifactTeacher):
        return _of_network(bench, load_finished(bench, config, place), f"artifact {config.path}")
    file = OnnxFile(bench.context.base_dir / config.path, place, bench.input_shape)
    content = {"onnx": file.content, "versions": versions(["onnxruntime"])}
    return Teacher(f"onnx {Path(config.path).name}", file.run, content=content)


def _recipe(bench: Workbench, config: ZooTeacher) -> Recipe:
    channels, height, width = bench.input_shape
    classes = config.num_classes or bench.source.num_classes
    source = ModelSource(config.name, classes, channels, (height, width), width=config.width)
    return Recipe(source, config.weights, config.train, f"teacher {config.name}")


def _title(config: ZooTeacher) -> str:
    return f"zoo {config.name}{at_width(config.width)}"


def _of_network(bench: Workbench, model: Model, title: str) -> Teacher:
    info = bench.manager.registry.backends[bench.backend]
    content = {
        "backend": bench.backend,
        "layers": [str(layer) for layer in bench.layers(model)],
        "state": digest(bench.state(model)),
        "code": bench.source.content,
        "versions": versions(["paredown", *distributions(info, bench.source.kind)]),
    }
    return Teacher(title, _evaluated(bench, model), model, content)


def _evaluated(bench: Workbench, model: Model) -> Callable[[FloatArray], FloatArray]:
    return lambda images: first(bench.manager.evaluate(bench.backend, model, images))


def _mean(members: list[Teacher]) -> Teacher:
    """The mean of the members' outputs, in float32."""

    def outputs(images: FloatArray) -> FloatArray:
        answers = [member.outputs(images) for member in members]
        return np.asarray(np.mean(np.stack(answers), axis=0, dtype=np.float32))

    titles = ", ".join(member.title for member in members)
    random = tuple(name for member in members for name in member.random)
    content = {"mean": [member.content for member in members]}
    return Teacher(f"mean of {titles}", outputs, content=content, random=random)
