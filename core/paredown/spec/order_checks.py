"""Steps that make no sense after one another."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.base import Frozen
from paredown.spec.document import Document
from paredown.spec.models import DistillStep, FinetuneStep, PruneStep, QuantizeStep, Spec


def check_order(spec: Spec, document: Document) -> Iterator[Problem]:
    """The problems with the order of the steps."""
    yield from _after_quantize(spec, document)
    yield from _after_pattern(spec, document)
    yield from _binary_zeros(spec, document)


def _after_quantize(spec: Spec, document: Document) -> Iterator[Problem]:
    quantized = next((index for index, step in enumerate(spec.steps) if _quantizes(step)), None)
    if quantized is None or quantized + 1 == len(spec.steps):
        return
    after = quantized + 1
    kind = getattr(spec.steps[after], "kind", type(spec.steps[after]).__name__)
    yield document.problem(
        ("steps", after),
        f"`{kind}` stands after `quantize`: scales were chosen for the network as it was, and would no longer fit",
        value=kind,
        expected="the step that quantizes as the last one",
        remedy="remove one of the two" if kind == "quantize" else f"move `{kind}` before `steps[{quantized}]`",
    )


def _quantizes(step: Frozen) -> bool:
    inner = step.during if isinstance(step, FinetuneStep | DistillStep) else ()
    return any(isinstance(one, QuantizeStep) for one in (step, *inner))


def _binary_zeros(spec: Spec, document: Document) -> Iterator[Problem]:
    placed = [
        (path, one)
        for index, step in enumerate(spec.steps)
        for path, one in (
            (("steps", index), step),
            *((("steps", index, "during", place), inner) for place, inner in enumerate(getattr(step, "during", ()))),
        )
    ]
    if not any(isinstance(step, PruneStep) and step.granularity != "channel" for _, step in placed):
        return
    for path, step in placed:
        if isinstance(step, QuantizeStep) and step.mode != "fp16" and step.weights.bits == 1:
            yield document.problem(
                (*path, "weights", "bits"),
                "binary weights are -1 and 1: the zeros that pruning makes would not stay",
                value=1,
                expected="at least 2 bits after pruning single weights",
                remedy="write `bits: 2`, or prune channels",
            )


def _after_pattern(spec: Spec, document: Document) -> Iterator[Problem]:
    earlier: tuple[int, PruneStep] | None = None
    for index, step in enumerate(spec.steps):
        if not isinstance(step, PruneStep):
            continue
        if earlier is not None and step.granularity == "channel":
            yield _broken_pattern(index, *earlier, document)
        elif earlier is not None and step.granularity == "n_m":
            yield from _second_pattern(index, step, *earlier, document)
        if step.granularity == "n_m":
            earlier = index, step


def _broken_pattern(index: int, place: int, pattern: PruneStep, document: Document) -> Problem:
    return document.problem(
        ("steps", index),
        f"channels go after `steps[{place}]` made the pattern {pattern.n}:{pattern.m}: input channels would move, and"
        " the pattern would break",
        value="granularity: channel",
        expected="channel pruning before `n_m`",
        remedy=f"move this step before `steps[{place}]`",
    )


def _second_pattern(
    index: int, step: PruneStep, place: int, pattern: PruneStep, document: Document
) -> Iterator[Problem]:
    if _implies(pattern, step):
        what = f"every block that `steps[{place}]` leaves at {pattern.n}:{pattern.m} fits {step.n}:{step.m} already"
    elif index == place + 1:
        what = f"`{step.n}:{step.m}` follows `steps[{place}]` at once: of two patterns in a row one is wasted"
    else:
        return
    yield document.problem(
        ("steps", index),
        what,
        value=f"n: {step.n}, m: {step.m}",
        expected="one pattern, or a training and then a stricter one",
        remedy="remove one of the two steps",
    )


def _implies(first: PruneStep, second: PruneStep) -> bool:
    """Whether weights of the first pattern fit the second: its blocks are whole blocks of the first's."""
    if first.n is None or first.m is None or second.n is None or second.m is None:
        return False
    return second.m % first.m == 0 and first.n * (second.m // first.m) <= second.n
