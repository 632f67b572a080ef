"""Steps that make no sense together, or in their order."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.document import Document
from paredown.spec.models import DistillStep, FinetuneStep, QuantizeStep, Spec
from paredown.spec.schema import get_part

_LABELS_ONLY = {"hard_label"}
_TEACHER_ONLY = {"kl"}


def check_steps(spec: Spec, document: Document) -> Iterator[Problem]:
    """The problems with the steps of a spec."""
    yield from _during(spec, document)
    yield from _order(spec, document)
    yield from _losses(spec, document)


def _during(spec: Spec, document: Document) -> Iterator[Problem]:
    for index, step in enumerate(spec.steps):
        if isinstance(step, FinetuneStep | DistillStep) and step.during:
            path = ("steps", index, "during")
            yield document.problem(
                path,
                "`during` is planned and not built yet; built: steps one after the other",
                value=get_part(document.data, path),
                expected="an empty list, or no `during`",
                remedy=f"write `{step.during[0].kind}` as a step of its own",
            )


def _order(spec: Spec, document: Document) -> Iterator[Problem]:
    quantized = next((index for index, step in enumerate(spec.steps) if isinstance(step, QuantizeStep)), None)
    if quantized is None or quantized + 1 == len(spec.steps):
        return
    after = quantized + 1
    kind = getattr(spec.steps[after], "kind", type(spec.steps[after]).__name__)
    yield document.problem(
        ("steps", after),
        f"`{kind}` stands after `quantize`: scales were calibrated for the network as it was, and would no longer fit",
        value=kind,
        expected="`quantize` as the last step",
        remedy="remove one of the two" if kind == "quantize" else f"move `{kind}` before `steps[{quantized}]`",
    )


def _losses(spec: Spec, document: Document) -> Iterator[Problem]:
    for index, step in enumerate(spec.steps):
        if not isinstance(step, DistillStep):
            continue
        path = ("steps", index, "losses")
        used = [loss.kind for loss in step.losses if getattr(loss, "weight", 1.0) > 0]
        fault = _fault_of_losses(used, first=index == 0)
        if fault:
            what, expected, remedy = fault
            value = get_part(document.data, path)
            yield document.problem(path, what, value=value, expected=expected, remedy=remedy)


def _fault_of_losses(used: list[str], *, first: bool) -> tuple[str, str, str] | None:
    if not used:
        return "every loss has the weight 0: nothing would be learned", "a weight above 0", "raise a weight"
    if set(used) <= _LABELS_ONLY:
        return (
            "no loss reads the teacher",
            "a loss such as `kl` with a weight above 0",
            "add `{kind: kl}`, or make the step `finetune`",
        )
    if first and set(used) <= _TEACHER_ONLY:
        return (
            "the student is still its own teacher: nothing has changed before this step",
            "a step before it that changes the network, or a loss that reads the labels",
            "move the step behind `prune`, or add `{kind: hard_label}`",
        )
    return None
