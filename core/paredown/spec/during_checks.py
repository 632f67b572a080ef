"""What may happen inside a training step, and what may not."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.document import DataPath, Document
from paredown.spec.models import CubicSparsity, DistillStep, FinetuneStep, PruneStep, QuantizeStep
from paredown.spec.prune_checks import check_prune
from paredown.spec.quantize_checks import check_quantize
from paredown.spec.schema import get_part
from paredown.spec.vocabulary import Vocabulary

_EXAMPLE = "schedule: {kind: cubic}"


def check_during(
    training: FinetuneStep | DistillStep, path: DataPath, document: Document, vocabulary: Vocabulary
) -> Iterator[Problem]:
    """The problems with the `during` of a training step."""
    seen: set[str] = set()
    for index, step in enumerate(training.during):
        place = (*path, "during", index)
        if step.kind in seen:
            yield _twice(step, place, document)
        seen.add(step.kind)
        if isinstance(step, QuantizeStep):
            yield from check_quantize(step, place, document, training=training)
        else:
            yield from _prune(step, training.train.epochs, place, document)
            yield from check_prune(step, place, document, vocabulary)


def _twice(step: PruneStep | QuantizeStep, place: DataPath, document: Document) -> Problem:
    is_prune = isinstance(step, PruneStep)
    return document.problem(
        place,
        "two schedules would decide over the same weights" if is_prune else "the network would be quantized twice",
        value=get_part(document.data, place),
        expected=f"at most one `{step.kind}` in a `during`",
        remedy="remove one; `overrides` gives single layers another ratio" if is_prune else "remove one of the two",
    )


def check_no_schedule(step: PruneStep, path: DataPath, document: Document) -> Iterator[Problem]:
    """A schedule in a step that does not train."""
    if step.schedule is not None:
        yield document.problem(
            (*path, "schedule"),
            "`schedule` lets masks grow while the network trains, and this step does not train",
            value=get_part(document.data, (*path, "schedule")),
            expected="a `schedule` only in a `prune` inside the `during` of a `finetune` or `distill`",
            remedy="move the step into the `during` of a training step, or remove `schedule`",
        )


def _prune(step: PruneStep, epochs: int, path: DataPath, document: Document) -> Iterator[Problem]:
    if step.granularity != "weight":
        yield document.problem(
            (*path, "granularity"),
            f"`granularity: {step.granularity}` does not go inside `during`: only masks of single weights grow while"
            " the network trains",
            value=step.granularity,
            expected="`weight`",
            remedy="write `granularity: weight`, or the `prune` as a step of its own",
        )
    if step.schedule is None:
        yield document.problem(
            path,
            "a `prune` inside `during` does not say when masks grow",
            value=get_part(document.data, path),
            expected=f"a schedule, `{_EXAMPLE}`",
            remedy=f"add `{_EXAMPLE}`, or write the `prune` as a step before the training",
        )
    else:
        yield from _times(step.schedule, epochs, (*path, "schedule"), document)


def _times(schedule: CubicSparsity, epochs: int, path: DataPath, document: Document) -> Iterator[Problem]:
    if schedule.end is not None and schedule.end > epochs:
        yield document.problem(
            (*path, "end"),
            "the training is over before the masks are full",
            value=schedule.end,
            expected=f"at most {epochs}, the epochs of this training",
            remedy="choose an earlier epoch, or train longer",
        )
        return
    end = schedule.end_epoch(epochs)
    if schedule.begin >= end:
        named = "`end`" if schedule.end is not None else "where masks stop to grow without an `end`"
        yield document.problem(
            (*path, "begin"),
            "masks would have no time to grow",
            value=schedule.begin,
            expected=f"less than {end:g}, {named}",
            remedy="choose an earlier epoch, or a later `end`",
        )
