"""The table says what the cells hold."""

from __future__ import annotations

from matrix.cells import Cell
from matrix.table import render

CELL = Cell("squeezenet1_1", "torch")
MADE = {"commit": "abc", "provenance": {"cpu": "a processor", "versions": {"torch": "1"}}}
RESULT = {
    "input_shape": [3, 64, 64],
    "params": {"before": 4_000_000, "after": 1_000_000},
    "macs": {"before": 2_000_000_000, "after": 500_000_000},
    "groups": {"found": 3, "cut": 2},
    "cut_by": "torch-pruning",
    "left_whole": {"head": "its outputs are the network's"},
}


def rendered(**checks):
    return render({CELL: {**RESULT, "checks": {**dict.fromkeys(CELL.checks, True), **checks}}}, MADE)


def test_a_row_holds_every_figure(monkeypatch):
    monkeypatch.setattr("matrix.table.CELLS", (CELL,))
    assert (
        "| `squeezenet1_1` | torch | 3x64x64 | 4 M to 1 M (0.25) | 2 G to 500 M (0.25) | 2 of 3 | torch-pruning | 1 |"
        f" {len(CELL.checks)} of {len(CELL.checks)} |"
    ) in rendered()


def test_what_is_left_whole_stands_below_with_its_reason(monkeypatch):
    monkeypatch.setattr("matrix.table.CELLS", (CELL,))
    assert "| its outputs are the network's | squeezenet1_1: `head` |" in rendered()


def test_a_check_that_fails_unexpectedly_is_told(monkeypatch):
    monkeypatch.setattr("matrix.table.CELLS", (CELL,))
    text = rendered(export="no such\noperator")
    assert "- squeezenet1_1 on torch, export: FAILED: no such operator" in text
    assert "not export |" in text
