"""The entry point. It imports nothing heavy: the command line reads it to know the kinds."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

from pydantic import Field

from paredown import hookimpl
from paredown.contracts import Component
from paredown.spec.base import ComponentConfig, Frozen


class LpCriterion(ComponentConfig):
    """Scores a channel by the mean over its members of sum(|w|^p), a single weight by |w|^p."""

    kind: Literal["lp"] = "lp"
    p: Annotated[float, Field(gt=0, le=16)] = 3.0


@hookimpl
def register_components() -> list[Component]:
    """The criterion `lp`, for every granularity."""
    return [
        Component(
            "criterion",
            "lp",
            "paredown_example.criterion:lp",
            LpCriterion,
            granularities=("channel", "weight", "n_m"),
            weights="paredown_example.criterion:lp_weights",
        )
    ]


@hookimpl
def on_step_end(backend: str, step: Frozen, evidence: dict[str, Any]) -> None:
    """Writes a line to standard error, which a run keeps in its log."""
    kind = getattr(step, "kind", "?")
    print(f"paredown-example: {kind} on {backend}: {', '.join(evidence)}", file=sys.stderr, flush=True)
