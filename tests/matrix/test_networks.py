"""Each network, on each backend that holds it, at half of its channels: what docs/networks.md says of it is so.

A few networks are tested always; `make matrix` runs them all.
"""

from __future__ import annotations

import pytest
from matrix.cells import CELLS, GAPS, network


def marks_of(cell, check):
    """A network that takes long is left to `make matrix`; a known gap must fail."""
    gap = GAPS.get((cell, check))
    marks = [pytest.mark.matrix] if network(cell.network).heavy else []
    return [*marks, pytest.mark.xfail(reason=f"{gap.kind}: {gap.reason}", strict=True)] if gap else marks


@pytest.mark.parametrize(
    ("cell", "check"),
    [
        pytest.param(cell, check, marks=marks_of(cell, check), id=f"{cell}-{check.replace(' ', '_')}")
        for cell in CELLS
        for check in cell.checks
    ],
)
def test_a_network_pruned_by_half(made, cell, check):
    outcome = made[cell]["checks"][check]
    assert outcome is True, outcome
