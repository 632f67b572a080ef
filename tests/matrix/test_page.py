"""docs/networks.md speaks of every network of the zoo, and of no cell that failed."""

from __future__ import annotations

import re

import pytest
from helpers import ROOT
from matrix.cells import CELLS, CHECKS, GAPS
from matrix.table import BEGIN, END

from paredown import twins

PAGE = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
TABLE = PAGE.partition(BEGIN)[2].partition(END)[0]


def test_every_network_of_the_zoo_is_a_cell():
    assert {cell.network for cell in CELLS} == {*twins.OWN, *twins.SHARED, *twins.TORCH_ONLY}


@pytest.mark.matrix
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_cell_has_a_row_in_which_every_check_holds_or_is_a_known_gap(cell):
    rows = [line for line in TABLE.splitlines() if line.startswith(f"| `{cell.network}` | {cell.backend} |")]
    assert len(rows) == 1
    gaps = [check for check in cell.checks if (cell, check) in GAPS]
    held = f"{len(cell.checks) - len(gaps)} of {len(cell.checks)}"
    expected = f"{held}: not {', '.join(gaps)}" if gaps else held
    assert rows[0].strip("| ").rpartition("|")[2].strip() == expected


def test_no_gap_is_unexplained():
    assert "FAILED" not in TABLE


def test_every_check_is_explained():
    assert set(re.findall(r"^\| `([^`]+)` \| [^|]+ \|$", PAGE, re.MULTILINE)) >= set(CHECKS)
