"""Who would teach in a distillation, and who would learn, in words."""

from __future__ import annotations

from paredown.spec.models import DistillStep
from paredown.spec.teachers import (
    ArtifactTeacher,
    EnsembleTeacher,
    OnnxTeacher,
    TeacherConfig,
    ZooTeacher,
)
from paredown.spec.widths import at_width


def explain_teaching(step: DistillStep) -> str:
    """Who teaches, what is kept, and which network learns."""
    sentences = []
    if step.student is not None:
        name = f"`{step.student.name}`{at_width(step.student.width)}"
        sentences.append(f"The student is {name}, which takes the network's place from here on")
    sentences.append(_who(step))
    trained = [teacher for _, teacher in step.named_teachers() if isinstance(teacher, ZooTeacher) and teacher.train]
    for teacher in trained:
        assert teacher.train is not None
        if teacher.train.epochs:
            count = f"{teacher.train.epochs} epoch{'' if teacher.train.epochs == 1 else 's'}"
            sentences.append(f"`{teacher.name}` is trained for {count} once and kept in the cache")
    if step.soft_labels == "cache":
        sentences.append("It runs once over the training images; its outputs are kept in the cache")
    pairs = sum(len(getattr(loss, "taps", ())) for loss in step.losses)
    if pairs:
        sentences.append(f"{pairs} pair{'' if pairs == 1 else 's'} of layers are compared besides")
    return "".join(f" {sentence}." for sentence in sentences)


def distillation_hooks(step: DistillStep) -> tuple[str, ...]:
    """What a distillation asks of the backend besides the training."""
    builds = step.student is not None or any(isinstance(one, ZooTeacher) for _, one in step.named_teachers())
    feels = any(getattr(loss, "taps", ()) for loss in step.losses)
    return (*(("load_model", "restore") if builds else ()), *(("measure",) if feels else ()))


def _who(step: DistillStep) -> str:
    if step.way == "online":
        return "A second student of the same shape, drawn anew, learns beside it, each from the other"
    if step.way == "self" and step.average is None:
        return "The network's own layers teach one another, as the losses pair them"
    if step.way == "self":
        return f"The moving average of its own weights teaches it, {step.average:g} of it kept in each step"
    assert step.offline_teacher is not None
    return f"{_named(step.offline_teacher, first=True)} teaches"


def _named(teacher: TeacherConfig, *, first: bool = False) -> str:
    if isinstance(teacher, EnsembleTeacher):
        members = [_named(member) for member in teacher.members]
        return f"{'The' if first else 'the'} mean of the outputs of {', '.join(members[:-1])} and {members[-1]}"
    name = _single(teacher)
    return name[0].upper() + name[1:] if first else name


def _single(teacher: TeacherConfig) -> str:
    if isinstance(teacher, ZooTeacher):
        return f"the network `{teacher.name}`{at_width(teacher.width)}"
    if isinstance(teacher, ArtifactTeacher):
        return f"the network of the finished run {teacher.path}"
    return f"the file {teacher.path}" if isinstance(teacher, OnnxTeacher) else "the uncompressed baseline"
