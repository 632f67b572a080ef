"""The losses of a distillation that do not fit one another, the teacher, or the length of the training."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.base import ComponentConfig
from paredown.spec.document import DataPath, Document
from paredown.spec.losses import LossSchedule, TapPair
from paredown.spec.models import DistillStep
from paredown.spec.schema import get_part
from paredown.spec.vocabulary import Vocabulary

_STILL_BETWEEN_EQUALS = {
    "kl",
    "mse",
    "soft_cross_entropy",
    "dkd",
    "dist",
    "feature_l2",
    "attention",
    "fsp",
    "similarity",
    "rkd",
    "cwd",
    "box_imitation",
}
"""Losses without a gradient where student and teacher are equal."""


def check_losses(
    step: DistillStep, path: DataPath, document: Document, vocabulary: Vocabulary, *, is_unchanged: bool
) -> Iterator[Problem]:
    """The problems with the losses of a step; `is_unchanged` says that student and teacher start as equals."""
    used = [loss for loss in step.losses if _is_used(loss)]
    untaught = [loss for loss in used if _reads(loss, vocabulary) == "labels"]
    fault = _fault_of_all([loss.kind for loss in used], only_labels=used == untaught, is_unchanged=is_unchanged)
    if fault:
        what, expected, remedy = fault
        place = (*path, "losses")
        value = get_part(document.data, place)
        yield document.problem(place, what, value=value, expected=expected, remedy=remedy)
    for index, loss in enumerate(step.losses):
        yield from _schedule(loss, step.train.epochs, (*path, "losses", index, "schedule"), document)
    if step.way == "self" and step.average is None:
        yield from _own_layers(step, path, document, vocabulary)


def reading_features(step: DistillStep, vocabulary: Vocabulary) -> tuple[int, ...]:
    """The places of a step's losses that read the outputs of inner layers."""
    return tuple(index for index, loss in enumerate(step.losses) if _reads(loss, vocabulary) == "features")


def _reads(loss: ComponentConfig, vocabulary: Vocabulary) -> str:
    entry = vocabulary.components.get(("distill_loss", loss.kind))
    return "outputs" if entry is None else entry.reads


def _is_used(loss: ComponentConfig) -> bool:
    schedule: LossSchedule | None = getattr(loss, "schedule", None)
    factor = 1.0 if schedule is None else max(schedule.start, schedule.end)
    return bool(getattr(loss, "weight", 1.0) * factor > 0)


def _fault_of_all(used: list[str], *, only_labels: bool, is_unchanged: bool) -> tuple[str, str, str] | None:
    if not used:
        return "every loss has the weight 0: nothing would be learned", "a weight above 0", "raise a weight"
    if only_labels:
        return (
            "no loss reads the teacher",
            "a loss such as `kl` with a weight above 0",
            "add `{kind: kl}`, or make the step `finetune`",
        )
    if is_unchanged and set(used) <= _STILL_BETWEEN_EQUALS:
        return (
            "the student is still its own teacher: nothing has changed before this step",
            "a step before it that changes the network, or a loss that reads the labels",
            "move the step behind `prune`, or add `{kind: hard_label}`",
        )
    return None


def _schedule(loss: ComponentConfig, epochs: int, path: DataPath, document: Document) -> Iterator[Problem]:
    schedule: LossSchedule | None = getattr(loss, "schedule", None)
    if schedule is None:
        return
    if schedule.finish is not None and schedule.finish > epochs:
        yield document.problem(
            (*path, "finish"),
            "the training is over before the weight of the loss arrives",
            value=schedule.finish,
            expected=f"at most {epochs}, the epochs of this training",
            remedy="choose an earlier epoch, or train longer",
        )
        return
    finish = epochs if schedule.finish is None else schedule.finish
    if (schedule.begin or 0.0) >= finish:
        yield document.problem(
            (*path, "begin") if schedule.begin else (*path, "finish"),
            "the weight of the loss would have no time to change",
            value=schedule.begin if schedule.begin else schedule.finish,
            expected=f"`begin` before {finish:g}, where the change ends" if schedule.begin else "an epoch after 0",
            remedy="choose an earlier `begin`, or a later `finish`",
        )


def _own_layers(step: DistillStep, path: DataPath, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    """Where the student's deeper layers teach its own: losses need features, and pairs of different layers."""
    for index, loss in enumerate(step.losses):
        place = (*path, "losses", index)
        reads = _reads(loss, vocabulary)
        if reads == "labels":
            continue
        if reads != "features":
            yield document.problem(
                place,
                f"`{loss.kind}` reads a teacher's outputs, and with `average: null` the student's own layers teach",
                value=loss.kind,
                expected="losses that read features, and `hard_label`",
                remedy="choose a loss such as `attention`, or give `average` a number",
            )
            continue
        yield from _pairs(getattr(loss, "taps", ()), (*place, "taps"), document)


def _pairs(taps: tuple[TapPair, ...], path: DataPath, document: Document) -> Iterator[Problem]:
    for index, pair in enumerate(taps):
        if pair.teacher in (None, pair.student):
            yield document.problem(
                (*path, index),
                "a layer would teach itself",
                value=get_part(document.data, (*path, index)),
                expected="`teacher`: a deeper layer of the same network",
                remedy="add `teacher` with the name of a deeper layer",
            )
