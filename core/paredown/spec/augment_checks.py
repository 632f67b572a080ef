"""Augmentation that changes nothing, leaves nothing of an image, or changes images whose labels nobody could change."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.data_checks import LABELLED_TASKS
from paredown.spec.document import DataPath, Document
from paredown.spec.models import AugmentConfig, DistillStep, Spec
from paredown.spec.schema import get_part
from paredown.spec.trainings import trainings
from paredown.spec.vocabulary import Vocabulary


def check_augment(spec: Spec, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    """The problems with the augmentation of every training."""
    task = vocabulary.components.get(("task", spec.task.kind))
    known = task is None or task.outputs == "classes" or spec.task.kind in LABELLED_TASKS
    for path, training in trainings(spec):
        if training.augment is None:
            continue
        place: DataPath = (*path, "augment")
        yield from _changes(training.augment, place, spec, document)
        if not known:
            yield document.problem(
                place,
                f"what `augment` does to images cannot be done to the labels of the task `{spec.task.kind}`",
                value=get_part(document.data, place),
                expected=f"no `augment`, or one of the tasks {', '.join(LABELLED_TASKS)}",
                remedy="remove `augment`, and augment in the data",
            )
    for index, step in enumerate(spec.steps):
        if isinstance(step, DistillStep) and step.soft_labels == "cache" and step.train.augment is not None:
            yield document.problem(
                ("steps", index, "soft_labels"),
                "`soft_labels: cache` does not go with `augment`: the teacher would never see the student's images",
                value="cache",
                expected="`soft_labels: none`, or no `augment`",
                remedy="remove one of the two",
            )


def _changes(augment: AugmentConfig, path: DataPath, spec: Spec, document: Document) -> Iterator[Problem]:
    if augment.flip is None and augment.crop is None:
        yield document.problem(
            path,
            "`augment` changes nothing",
            value=get_part(document.data, path),
            expected="`flip`, `crop` or both",
            remedy="write `flip: horizontal`, or remove `augment`",
        )
    side = None if spec.model is None else min(spec.model.input_size)
    if augment.crop is not None and side is not None and augment.crop.padding >= side:
        yield document.problem(
            (*path, "crop", "padding"),
            "the margin is so wide that nothing of an image may be left",
            value=augment.crop.padding,
            expected=f"less than {side}, the shorter side of `model.input_size`",
            remedy=f"write {max(1, side // 8)}",
        )
