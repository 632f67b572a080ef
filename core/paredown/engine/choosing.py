"""Which candidate is delivered, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paredown.results import Candidate


def choose(candidates: Sequence[Candidate], prefer: str, primary: str) -> Candidate:
    """The best candidate by `prefer` among those within the bound; where none is, the most accurate on validation."""
    within = [one for one in candidates if one.within_bound]
    if not within:
        return max(candidates, key=lambda one: one.validation[primary])
    return min(within, key=lambda one: one.bytes if prefer == "size" else one.latency_ratio)


def missed(chosen: Candidate, start: Mapping[str, float], drop: float, primary: str) -> tuple[str, ...]:
    """The bound that the delivered candidate misses, with what could be done; nothing where it holds."""
    if chosen.within_bound:
        return ()
    lost = start[primary] - chosen.validation[primary]
    return (
        f"no candidate keeps {primary} within {drop:g} of the baseline on validation: the best, {chosen.name},"
        f" loses {lost:.4f}"
        " (raise deploy.max_metric_drop, train longer, or remove less)",
    )


def reasons(
    candidates: Sequence[Candidate],
    chosen: Candidate,
    prefer: str,
    start: Mapping[str, float],
    drop: float,
    primary: str,
) -> tuple[str, ...]:
    """Why each other candidate is not delivered, a sentence each."""
    return tuple(
        f"{one.name} is not delivered: {_reason(one, chosen, prefer, start[primary] - one.validation[primary], drop)}"
        for one in candidates
        if one is not chosen
    )


def _reason(one: Candidate, chosen: Candidate, prefer: str, lost: float, drop: float) -> str:
    if not one.within_bound:
        return f"it loses {lost:.4f} on validation, and deploy.max_metric_drop is {drop:g}"
    if prefer == "size":
        return f"it has {one.bytes} bytes and {chosen.name} has {chosen.bytes} (prefer: size)"
    return (
        f"it takes {one.latency_ratio:.2f} of the baseline's time and {chosen.name} takes"
        f" {chosen.latency_ratio:.2f} (prefer: latency)"
    )
