"""Distillations that make no sense: who teaches, what is learned from whom, and which network learns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from paredown.errors import Problem
from paredown.spec.document import DataPath, Document
from paredown.spec.loss_checks import check_losses, reading_features
from paredown.spec.models import DistillStep, NetworkConfig, Spec, ZooModel
from paredown.spec.nearest import listed
from paredown.spec.schema import get_part
from paredown.spec.teachers import BaselineTeacher, EnsembleTeacher, OnnxTeacher, ZooTeacher
from paredown.spec.vocabulary import Vocabulary
from paredown.spec.weights_checks import check_strict, check_weights

_AVERAGE = DistillStep.model_fields["average"].default


def check_distillation(spec: Spec, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    """The problems with the distillations of a spec."""
    for index, step in enumerate(spec.steps):
        if isinstance(step, DistillStep):
            path: DataPath = ("steps", index)
            yield from _way(step, path, document)
            yield from _teacher(step, path, document)
            yield from _outputs_only(step, path, document, vocabulary)
            yield from _student(spec, step, index, document)
            yield from check_losses(step, path, document, vocabulary, is_unchanged=_is_unchanged(step, index))


def _is_unchanged(step: DistillStep, index: int) -> bool:
    """Whether student and teacher are one network, and nothing but the losses moves them apart."""
    if step.train.bn_l1 > 0 or step.during or step.way == "online":
        return False
    if step.way == "self":
        return step.average is not None
    return index == 0 and step.student is None and isinstance(step.offline_teacher, BaselineTeacher)


def _way(step: DistillStep, path: DataPath, document: Document) -> Iterator[Problem]:
    if step.way != "offline" and step.teacher is not None:
        who = "a second student teaches" if step.way == "online" else "the student teaches itself"
        yield document.problem(
            (*path, "teacher"),
            f"`teacher` does not go with `way: {step.way}`: {who}",
            value=get_part(document.data, (*path, "teacher")),
            expected="no `teacher`",
            remedy="remove `teacher`, or write `way: offline`",
        )
    if step.way != "offline" and step.soft_labels == "cache":
        yield document.problem(
            (*path, "soft_labels"),
            f"`soft_labels: cache` does not go with `way: {step.way}`: what teaches there changes in every step",
            value="cache",
            expected="`soft_labels: cache` only with `way: offline`",
            remedy="remove `soft_labels`, or write `way: offline`",
        )
    if step.way != "self" and step.average != _AVERAGE:
        yield document.problem(
            (*path, "average"),
            f"`average` does not go with `way: {step.way}`: no average of the student teaches",
            value=step.average,
            expected="`average` only with `way: self`",
            remedy="remove `average`, or write `way: self`",
        )


def _teacher(step: DistillStep, path: DataPath, document: Document) -> Iterator[Problem]:
    for place, teacher in step.named_teachers():
        if isinstance(teacher, ZooTeacher):
            yield from _zoo(teacher, (*path, *place), document)


def _zoo(teacher: ZooTeacher, path: DataPath, document: Document) -> Iterator[Problem]:
    yield from check_weights(teacher.weights, (*path, "weights"), document)
    if teacher.weights is None and not (teacher.train is not None and teacher.train.epochs > 0):
        yield document.problem(
            path,
            "the teacher is neither trained nor loaded: it would be random",
            value=get_part(document.data, path),
            expected="`train` with at least one epoch, or `weights`",
            remedy="add `train: {epochs: 8}`, or set `weights` to `pretrained` or to a .safetensors file",
        )


def _outputs_only(step: DistillStep, path: DataPath, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    """Losses that read features, where only a teacher's outputs are to be had."""
    reason = _why_no_features(step)
    if reason is None:
        return
    for index in reading_features(step, vocabulary):
        kind = step.losses[index].kind
        yield document.problem(
            (*path, "losses", index),
            f"`{kind}` reads features of the teacher's layers, and {reason}",
            value=kind,
            expected="losses that read outputs, such as `kl`",
            remedy="choose another loss, or another teacher: baseline, zoo and artifact have layers",
        )


def _why_no_features(step: DistillStep) -> str | None:
    if isinstance(step.teacher, OnnxTeacher):
        return "an ONNX file gives its outputs only"
    if isinstance(step.teacher, EnsembleTeacher):
        return "an ensemble gives the mean of its members' outputs only"
    return "`soft_labels: cache` keeps the teacher's outputs only" if step.soft_labels == "cache" else None


def _student(spec: Spec, step: DistillStep, index: int, document: Document) -> Iterator[Problem]:
    if step.student is None:
        return
    path: DataPath = ("steps", index, "student")
    if index:
        kinds = listed(str(getattr(one, "kind", "")) for one in spec.steps[:index])
        yield document.problem(
            path,
            f"another network takes the place of the present one: what {kinds} made of it would be thrown away",
            value=get_part(document.data, path),
            expected="`student` in the first step",
            remedy="make this the first step, and prune or train the student after it",
        )
    if spec.model is None:
        yield document.problem(
            path,
            "`student` names a network of the zoo, and `paredown.compress` works on the network that it is given",
            value=get_part(document.data, path),
            expected="no `student`, or a spec with `model`",
            remedy="remove `student`, and give `compress` the student itself",
        )
        return
    yield from check_weights(step.student.weights, (*path, "weights"), document)
    yield from check_strict(step.student, path, document)
    yield from _same_task(spec.model, step.student, path, document)


def _same_task(model: NetworkConfig, student: ZooModel, path: DataPath, document: Document) -> Iterator[Problem]:
    fields: Sequence[str] = ("num_classes", "in_channels", "input_size")
    for field in fields:
        wanted, found = getattr(model, field), getattr(student, field)
        if wanted != found:
            shown = list(wanted) if isinstance(wanted, tuple) else wanted
            yield document.problem(
                (*path, field),
                f"the student's `{field}` is not the one of `model`, whose images and classes it takes over",
                value=found,
                expected=f"{shown}, as in `model`",
                remedy=f"write `{field}: {shown}`",
            )
