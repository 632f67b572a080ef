"""Steps, one by one and in their order: settings and combinations that make no sense."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.document import Document
from paredown.spec.during_checks import check_during, check_no_schedule
from paredown.spec.models import DistillStep, FinetuneStep, PruneStep, QuantizeStep, Spec
from paredown.spec.order_checks import check_order
from paredown.spec.prune_checks import check_prune
from paredown.spec.quantize_checks import check_quantize
from paredown.spec.schema import get_part
from paredown.spec.vocabulary import Vocabulary

_LABELS_ONLY = {"hard_label"}
_TEACHER_ONLY = {"kl"}


def check_steps(spec: Spec, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    """The problems with the steps of a spec."""
    for index, step in enumerate(spec.steps):
        path = ("steps", index)
        if isinstance(step, PruneStep):
            yield from check_no_schedule(step, path, document)
            yield from check_prune(step, path, document, vocabulary)
        elif isinstance(step, QuantizeStep):
            yield from check_quantize(step, path, document)
        elif isinstance(step, FinetuneStep | DistillStep):
            yield from check_during(step, path, document, vocabulary)
    yield from check_order(spec, document)
    yield from _losses(spec, document)


def _losses(spec: Spec, document: Document) -> Iterator[Problem]:
    for index, step in enumerate(spec.steps):
        if not isinstance(step, DistillStep):
            continue
        path = ("steps", index, "losses")
        used = [loss.kind for loss in step.losses if getattr(loss, "weight", 1.0) > 0]
        fault = _fault_of_losses(used, is_unchanged=index == 0 and not _changes_by_itself(step))
        if fault:
            what, expected, remedy = fault
            value = get_part(document.data, path)
            yield document.problem(path, what, value=value, expected=expected, remedy=remedy)


def _changes_by_itself(step: DistillStep) -> bool:
    """Whether something besides the losses moves the student away from its teacher."""
    return step.train.bn_l1 > 0 or bool(step.during)


def _fault_of_losses(used: list[str], *, is_unchanged: bool) -> tuple[str, str, str] | None:
    if not used:
        return "every loss has the weight 0: nothing would be learned", "a weight above 0", "raise a weight"
    if set(used) <= _LABELS_ONLY:
        return (
            "no loss reads the teacher",
            "a loss such as `kl` with a weight above 0",
            "add `{kind: kl}`, or make the step `finetune`",
        )
    if is_unchanged and set(used) <= _TEACHER_ONLY:
        return (
            "the student is still its own teacher: nothing has changed before this step",
            "a step before it that changes the network, or a loss that reads the labels",
            "move the step behind `prune`, or add `{kind: hard_label}`",
        )
    return None
