"""The figures that `paredown zoo` shows are those of the code."""

from __future__ import annotations

import json

from zoo_figures import FILE, figures


def test_the_shipped_figures_are_what_core_counts():
    assert json.loads(FILE.read_text(encoding="utf-8")) == figures(), "run `make zoo`"
