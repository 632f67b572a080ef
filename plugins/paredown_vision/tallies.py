"""What every task counts batch by batch in the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paredown.contracts import Array, Outputs


class Share:
    """The share of predictions that two networks have in common; None where there are none to compare."""

    def __init__(self, count: Callable[[Any, Any], tuple[int, int]]) -> None:
        """`count` gives, of the outputs of both for a batch, the predictions in common, and how many there are."""
        self._count = count
        self._shared = self._total = 0

    def update(self, outputs: Outputs, reference: Outputs) -> None:
        """Counts a batch of both networks."""
        shared, total = self._count(outputs, reference)
        self._shared += shared
        self._total += total

    def compute(self) -> float | None:
        """The share over all batches."""
        return self._shared / self._total if self._total else None


def share_of(count: Callable[[Any, Any], tuple[int, int]], outputs: Outputs, reference: Outputs) -> float | None:
    """`Share` of a single batch."""
    share = Share(count)
    share.update(outputs, reference)
    return share.compute()


def metrics_of(tally: Any, outputs: Outputs, labels: Array) -> dict[str, float]:
    """The metrics of a single batch, by a `MetricTally` for outputs of this form."""
    tally.update(outputs, labels)
    found: dict[str, float] = tally.compute()
    return found
