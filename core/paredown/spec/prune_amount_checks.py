"""How much a pruning step removes: said once, and in terms that its granularity can keep to."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.document import DataPath, Document
from paredown.spec.models import Keep, PruneStep
from paredown.spec.schema import get_part

_MEASURES = tuple(Keep.model_fields)
_STAYS = {
    "macs": "a zero is still multiplied",
    "params": "a zero is still stored",
    "bytes": "a zero is still stored",
}


def check_amount(step: PruneStep, path: DataPath, document: Document) -> Iterator[Problem]:
    """The problems with `ratio`, `keep`, `n` and `m`."""
    if step.granularity == "n_m":
        yield from _pattern(step, path, document)
        return
    yield from _one_amount(step, path, document)
    yield from _no_pattern(step, path, document)
    if step.keep is not None:
        yield from _keep(step, step.keep, (*path, "keep"), document)


def _one_amount(step: PruneStep, path: DataPath, document: Document) -> Iterator[Problem]:
    if step.ratio is None and step.keep is None:
        written = get_part(document.data, path) or {}
        empty = next((name for name in ("ratio", "keep") if name in written), None)
        weights = step.granularity == "weight"
        yield document.problem(
            (*path, empty) if empty else path,
            "the step does not say how much goes",
            value=None if empty else written,
            expected="`ratio`, the share that is removed" + ("" if weights else ", or `keep`, the share that is kept"),
            remedy="add `ratio: 0.5`" + ("" if weights else " or `keep: {macs: 0.5}`"),
        )
    if step.ratio is not None and step.keep is not None:
        yield document.problem(
            (*path, "keep"),
            "`ratio` and `keep` both say how much goes",
            value=get_part(document.data, (*path, "keep")),
            expected="one of the two",
            remedy="remove `ratio` or `keep`",
        )


def _no_pattern(step: PruneStep, path: DataPath, document: Document) -> Iterator[Problem]:
    for name in ("n", "m"):
        value = getattr(step, name)
        if value is not None:
            yield document.problem(
                (*path, name),
                f"`{name}` does not go with `granularity: {step.granularity}`: it belongs to the pattern of `n_m`",
                value=value,
                expected="`n` and `m` only where `granularity` is `n_m`",
                remedy=f"remove `{name}`, or write `granularity: n_m`",
            )


def _keep(step: PruneStep, keep: Keep, path: DataPath, document: Document) -> Iterator[Problem]:
    named = [measure for measure in _MEASURES if getattr(keep, measure) is not None]
    shown = get_part(document.data, path)
    if step.granularity != "channel" and step.ratio is None:
        reason = _STAYS[named[0]] if named else _STAYS["params"]
        yield document.problem(
            path,
            f"`keep` does not go with `granularity: {step.granularity}`: {reason}, so that the network does not shrink",
            value=shown,
            expected="`ratio`, the share of weights that become zero",
            remedy="write `ratio`, or `granularity: channel`, which shrinks shapes",
        )
    elif len(named) != 1:
        yield document.problem(
            path,
            "`keep` names no measure" if not named else f"`keep` names {len(named)} measures: one target at a time",
            value=shown,
            expected="exactly one of `macs`, `params`, `bytes`",
            remedy="write `keep: {macs: 0.5}`" if not named else f"leave only one, `keep: {{{named[0]}: ...}}`",
        )


def _pattern(step: PruneStep, path: DataPath, document: Document) -> Iterator[Problem]:
    for name in ("ratio", "keep"):
        if getattr(step, name) is not None:
            yield document.problem(
                (*path, name),
                f"`{name}` does not go with `granularity: n_m`: the pattern says how much goes",
                value=get_part(document.data, (*path, name)),
                expected="`n` and `m` alone",
                remedy=f"remove `{name}`; `n: 2, m: 4` removes half",
            )
    missing = [name for name in ("n", "m") if getattr(step, name) is None]
    if missing:
        yield document.problem(
            path,
            f"`granularity: n_m` needs {' and '.join(f'`{name}`' for name in missing)}",
            value=get_part(document.data, path),
            expected="`n` and `m`: of every m consecutive input channels at most n stay",
            remedy="write `n: 2, m: 4`",
        )
    elif step.n is not None and step.m is not None and step.n >= step.m:
        yield document.problem(
            (*path, "n"),
            f"{step.n} of {step.m} would stay: nothing would go",
            value=step.n,
            expected=f"less than {step.m}, the `m` of this step",
            remedy="write `n: 2, m: 4`; `n` is the number that stays",
        )
