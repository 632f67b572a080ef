"""The table "What goes together" of docs/quantization.md is what the spec takes: no more and no less."""

from __future__ import annotations

import itertools

import pytest
from helpers import DISTILL, ROOT, small_spec

from paredown.errors import SpecError
from paredown.manager import Manager
from paredown.spec.loader import load_spec

MODES = ("static", "qat", "dynamic", "weight_only")
WEIGHTS = [f"{bits}{more}" for bits in (8, 4, 2, 1) for more in ("", " asymmetric")]
GRANULARITIES = ("tensor", "channel", "group")
ACTIVATIONS = [f"{bits}{more}" for bits in (16, 8, 4) for more in ("", " symmetric")]
OBSERVERS = ("minmax", "moving_average", "percentile", "histogram", "entropy")


def table():
    text = (ROOT / "docs" / "quantization.md").read_text("utf-8").partition("## What goes together")[2]
    rows = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {
        mode.strip("`"): [[part for part in cell.split(", ") if part != "-"] for cell in more] for mode, *more in cells
    }


TABLE = table()


@pytest.fixture(scope="module")
def taken():
    """Whether the spec takes a quantization step; `qat` is put into a training."""
    registry = Manager.discover().registry

    def ask(step):
        steps = [DISTILL | {"during": [step]}] if step["mode"] == "qat" else [step]
        try:
            load_spec(small_spec(steps=steps), registry)
        except SpecError:
            return False
        return True

    return ask


def weights_of(width, granularity):
    bits, *more = width.split()
    found = {"bits": int(bits), "symmetric": not more, "granularity": granularity}
    return found | ({"group_size": 16} if granularity == "group" else {})


def activations_of(width, observer):
    bits, *more = width.split()
    return {"bits": int(bits), "symmetric": bool(more), "observer": {"kind": observer}}


def test_it_has_a_row_for_every_mode():
    assert tuple(TABLE) == MODES


@pytest.mark.parametrize("mode", MODES)
def test_weights_are_taken_as_the_row_says(mode, taken):
    widths, granularities, activations, _ = TABLE[mode]
    fixed = {"activations": activations_of("8", "minmax")} if activations else {}
    for width, granularity in itertools.product(WEIGHTS, GRANULARITIES):
        step = {"kind": "quantize", "mode": mode, "weights": weights_of(width, granularity), **fixed}
        assert taken(step) == (width in widths and granularity in granularities), (width, granularity)


@pytest.mark.parametrize("mode", MODES)
def test_activations_are_taken_as_the_row_says(mode, taken):
    _, _, activations, observers = TABLE[mode]
    for width, observer in itertools.product(ACTIVATIONS, OBSERVERS):
        step = {"kind": "quantize", "mode": mode, "activations": activations_of(width, observer)}
        listed = observer in observers or (f"{observer} (not with 16 bits)" in observers and not width.startswith("16"))
        assert taken(step) == (width in activations and listed), (width, observer)
