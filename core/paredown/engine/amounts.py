"""How much a pruning step asks for: in one shot, or what one round adds to the rounds before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paredown.algorithms.allocation import CutRequest
from paredown.plan import Group
from paredown.spec.models import PruneStep

Curves = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class Part:
    """A round of an iterative step: by its end `share` of the whole is to be gone.

    `sizes` are the groups' before the first round, `gone` what earlier rounds removed of each, `kept` the shares of the
    measures that are left.
    """

    share: float
    sizes: Mapping[str, int]
    gone: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, float] = field(default_factory=dict)


def amount(step: PruneStep) -> dict[str, float]:
    """What a step asks for, as it stands in its plan."""
    wanted = target(step)
    return dict([wanted]) if wanted else {"ratio": float(step.ratio or 0)}


def target(step: PruneStep) -> tuple[str, float] | None:
    """The measure of a step's target and the share of it that is kept; None for a ratio."""
    given = step.keep.model_dump(exclude_none=True) if step.keep else {}
    return next(iter(given.items()), None)


def request(
    step: PruneStep,
    groups: Sequence[Group],
    overrides: Mapping[str, float],
    part: Part | None,
    curves: Curves | None,
    left_whole: Mapping[str, str],
) -> CutRequest:
    """What is to be decided now.

    Counts are taken of the sizes before the first round, so that what rounding left in one round is made up for in the
    next, and all rounds together remove what one shot would.

    Args:
        step: The step.
        groups: Those that may be cut, as they are now.
        overrides: Ratios of groups that are decided apart.
        part: The round; None for one shot.
        curves: Measured sensitivity, where the step allocates by it.
        left_whole: What is not cut, for messages.
    """
    wanted, ratio, ratios = target(step), step.ratio, dict(overrides)
    if part is not None:
        free = [group for group in groups if group.name not in overrides]
        ratios = {
            group.name: _missing([group], overrides[group.name], part) for group in groups if group.name in overrides
        }
        if wanted is not None:
            left = (1 - (1 - wanted[1]) * part.share) / part.kept.get(wanted[0], 1.0)
            wanted, ratio = ((wanted[0], left), None) if left < 1 else (None, 0.0)
        elif ratio is not None and step.scope == "local" and curves is None:
            ratios |= {group.name: _missing([group], ratio, part) for group in free}
        elif ratio is not None:
            ratio = _missing(free, ratio, part)
    return CutRequest(
        scope=step.scope,
        ratio=ratio,
        keep=wanted,
        ratios=ratios,
        round_to=step.round_to,
        curves=curves,
        left_whole=left_whole,
    )


def _missing(groups: Sequence[Group], ratio: float, part: Part) -> float:
    """The share of what groups have now that is missing from the share that is to be gone of what they had."""
    whole = sum(part.sizes[group.name] for group in groups)
    present = sum(group.size for group in groups)
    # 0.29 * 100 is 28.999999999999996: a person who writes 0.29 means 29.
    wanted = int(whole * ratio * part.share + 1e-9) - sum(part.gone.get(group.name, 0) for group in groups)
    return max(0, wanted) / present if present else 0.0
