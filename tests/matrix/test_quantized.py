"""Static int8 works on every network of the pruning table, at half of its channels (`make agreement`)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from helpers import ROOT
from matrix.cells import CELLS

from paredown import files

pytestmark = pytest.mark.matrix

KNOWN_REASONS = {
    "BatchNormalization has no integer kernel",
    "LayerNormalization has no integer kernel",
    "a Linear layer on more than two axes is not quantized yet",
}
TRANSFORMERS = ("convnext_tiny", "swin_t", "vit_b_16")
"""Most of their weights are in Linear layers on more than two axes."""


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_every_layer_is_stored_as_integers_or_named_with_the_reason(cell, tmp_path):
    path = tmp_path / "result.json"
    command = [sys.executable, "-m", "matrix.quantized", cell.backend, cell.network, str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": _path()}, timeout=1200
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = files.read_json(path)
    assert found["silent"] == []
    assert set(found["left_float"].values()) <= KNOWN_REASONS
    if cell.network not in TRANSFORMERS:
        # A quarter, and the scales, which weigh much in small networks.
        assert found["bytes"]["int8"] < 0.5 * found["bytes"]["fp32"]
    assert found["beside_simulation"] < 1
    assert found["beside_simulation"] < 1.2 * found["beside_float"]


def _path():
    return os.pathsep.join(filter(None, (str(ROOT / "tests"), os.environ.get("PYTHONPATH"))))
