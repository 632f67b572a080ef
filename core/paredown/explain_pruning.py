"""What a pruning step would do, in words, and what it asks of a backend."""

from __future__ import annotations

from dataclasses import dataclass

from paredown.spec.models import Keep, PruneStep, SensitivityAllocation

_MEASURED = {"gradients": "Measure gradients", "activations": "Measure activations"}
_KEPT = {"macs": "multiply-accumulates", "params": "parameters", "bytes": "bytes of the weights"}


@dataclass(frozen=True, slots=True)
class Pruning:
    """A pruning step in words, the hooks that it asks for, and whether they need the loss on the labels."""

    what: str
    hooks: tuple[str, ...]
    on_labels: bool = False


def explain_prune(step: PruneStep, needs: tuple[str, ...]) -> Pruning:
    """A pruning step of its own; `needs` are what its criterion has to see measured."""
    measured = [f"{_MEASURED[need]} on training images." for need in needs]
    if step.granularity != "channel":
        return Pruning(" ".join([*measured, _masks(step)]), ("measure", "prune"), _reads_labels(step, needs))
    parts = [
        "Find the coupled channels on the canonical graph, which the framework exports.",
        *measured,
        *_allocation(step),
        f"Score the channels in core by `{step.criterion.kind}`, choose those that go, {_amount(step)}, and cut them"
        " out in the framework: shapes shrink.",
        *_rounds(step),
    ]
    hooks = ("measure", "fold", "export", "prune", *(("distill",) if step.recover else ()))
    return Pruning(" ".join(parts), hooks, _reads_labels(step, needs))


def explain_growth(step: PruneStep, epochs: int) -> str:
    """A pruning step inside a training of so many epochs."""
    assert step.schedule is not None  # the spec's checks see to it
    return (
        f" Meanwhile masks grow from epoch {step.schedule.begin:g} to epoch {step.schedule.end_epoch(epochs):g}, until"
        f" {_share(step.ratio)} of the weights, the least important by `{step.criterion.kind}`, are zero; zeros stay"
        " zero."
    )


def _masks(step: PruneStep) -> str:
    stay = "zeros stay zero in every step after it, and shapes stay as they are."
    if step.granularity == "n_m":
        return (
            f"Score single weights in core by `{step.criterion.kind}`; of every {step.m} consecutive input channels"
            f" {step.n} stay and the others become zero; {stay}"
        )
    return (
        f"Score single weights in core by `{step.criterion.kind}` and set {_share(step.ratio)} of them to zero, the"
        f" least important first; {stay}"
    )


def _amount(step: PruneStep) -> str:
    if step.keep is None:
        return f"{_share(step.ratio)} of them"
    kept = [f"{_share(getattr(step.keep, name))} of the {_KEPT[name]}" for name in _measures(step.keep)]
    return f"until {' and '.join(kept)} are left"


def _measures(keep: Keep) -> list[str]:
    return [name for name in Keep.model_fields if getattr(keep, name) is not None]


def _allocation(step: PruneStep) -> list[str]:
    if not isinstance(step.allocation, SensitivityAllocation):
        return []
    ratios = ", ".join(_share(ratio) for ratio in step.allocation.ratios)
    return [
        f"Prune each group alone by {ratios} and measure on validation, so that those that accuracy depends on less"
        " lose more."
    ]


def _rounds(step: PruneStep) -> list[str]:
    if step.recover is None:
        return []
    epochs = f"{step.recover.epochs} epoch" + ("s" if step.recover.epochs > 1 else "")
    return [f"This in {step.rounds} rounds, a part in each, with {epochs} of training on the labels after each."]


def _reads_labels(step: PruneStep, needs: tuple[str, ...]) -> bool:
    return step.recover is not None or "gradients" in needs


def _share(ratio: float | None) -> str:
    return f"{100 * (ratio or 0.0):g}%"
