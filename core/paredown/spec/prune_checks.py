"""Settings of one pruning step that do not go together."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.document import DataPath, Document
from paredown.spec.installed_checks import repeated
from paredown.spec.models import PruneStep, SensitivityAllocation, UniformAllocation
from paredown.spec.nearest import listed, one_of
from paredown.spec.prune_amount_checks import check_amount
from paredown.spec.schema import get_part
from paredown.spec.selector_checks import check_selectors
from paredown.spec.vocabulary import Vocabulary

_CHANNELS_ONLY = {
    "round_to": ("zeros leave every width as it is", "remove `round_to`"),
    "rounds": (
        "weights go bit by bit inside a training step",
        "remove `rounds`, and put the step into the `during` of a `finetune` or `distill` with a `schedule`",
    ),
    "allocation": ("sensitivity is measured by removing channels", "remove `allocation`"),
    "recover": ("only rounds of channel pruning train in between", "write a `finetune` step after this one"),
}
_DEFAULTS = {"round_to": 1, "rounds": 1, "allocation": UniformAllocation(), "recover": None}


def check_prune(step: PruneStep, path: DataPath, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    """The problems of one pruning step, wherever it stands."""
    yield from _criterion(step, path, document, vocabulary)
    yield from check_amount(step, path, document)
    if step.granularity == "channel":
        yield from _rounds(step, path, document)
        yield from _allocation(step, path, document)
    else:
        yield from _of_channels_only(step, path, document)
    yield from _overrides(step, path, document)
    yield from check_selectors(step, path, document)


def _criterion(step: PruneStep, path: DataPath, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    kind = step.criterion.kind
    entry = vocabulary.components.get(("criterion", kind))
    if entry is None or step.granularity in entry.granularities:
        return
    fitting = [
        name
        for (slot, name), other in vocabulary.components.items()
        if slot == "criterion" and step.granularity in other.granularities
    ]
    yield document.problem(
        (*path, "criterion", "kind"),
        f"the criterion `{kind}` does not fit `granularity: {step.granularity}`: it scores for"
        f" {listed(entry.granularities)} only",
        value=kind,
        expected=one_of(fitting, "criterion"),
        remedy=f"choose one of these, or write `granularity: {entry.granularities[0]}`",
    )


def _of_channels_only(step: PruneStep, path: DataPath, document: Document) -> Iterator[Problem]:
    for field, (reason, remedy) in _CHANNELS_ONLY.items():
        if getattr(step, field) != _DEFAULTS[field]:
            yield document.problem(
                (*path, field),
                f"`{field}` does not go with `granularity: {step.granularity}`: {reason}",
                value=get_part(document.data, (*path, field)),
                expected=f"`{field}` only where `granularity` is `channel`",
                remedy=remedy,
            )


def _rounds(step: PruneStep, path: DataPath, document: Document) -> Iterator[Problem]:
    if step.rounds > 1 and step.recover is None:
        yield document.problem(
            (*path, "rounds"),
            f"{step.rounds} rounds without training in between are one round: `recover` is missing",
            value=step.rounds,
            expected="`recover` beside `rounds`, or one round",
            remedy="add `recover: {epochs: 1, optimizer: {kind: sgd, lr: 0.01}}`, or remove `rounds`",
        )
    if step.recover is not None and step.rounds == 1:
        yield document.problem(
            (*path, "recover"),
            "`recover` is the training after each round, and there is one round only",
            value=get_part(document.data, (*path, "recover")),
            expected="`rounds` of at least 2 beside `recover`",
            remedy="set `rounds`, or write the training as a `finetune` step after this one",
        )


def _allocation(step: PruneStep, path: DataPath, document: Document) -> Iterator[Problem]:
    allocation = step.allocation
    if not isinstance(allocation, SensitivityAllocation):
        return
    if step.scope != "local":
        yield document.problem(
            (*path, "allocation"),
            "`sensitivity` does not go with `scope: global`: there the channels of all groups compete by score, and no"
            " group has a share of its own that sensitivity could set",
            value=get_part(document.data, (*path, "allocation")),
            expected="`scope: local`, which gives each group a share",
            remedy="write `scope: local`, or remove `allocation`",
        )
    yield from repeated(allocation.ratios, (*path, "allocation", "ratios"), document, "one measurement a ratio")


def _overrides(step: PruneStep, path: DataPath, document: Document) -> Iterator[Problem]:
    if step.granularity == "n_m" and step.overrides:
        yield document.problem(
            (*path, "overrides"),
            "`overrides` gives layers another ratio, and `granularity: n_m` has none: the pattern says how much goes",
            value=get_part(document.data, (*path, "overrides")),
            expected="no `overrides`",
            remedy="remove `overrides`; `protect` leaves layers as they are",
        )
