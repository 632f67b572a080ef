"""The uncompressed network of a run."""

from __future__ import annotations

from paredown.contracts import Model
from paredown.engine.networks import Recipe, prepared
from paredown.engine.workbench import Workbench
from paredown.spec.models import BaselineConfig


def prepare_baseline(bench: Workbench) -> tuple[Model, tuple[str, ...]]:
    """The baseline network, and notes for the reader (a head that was initialised anew, a cache that was used)."""
    weights = bench.spec.model.weights if bench.spec.model else None
    return prepared(bench, Recipe(bench.source, weights, bench.spec.baseline or BaselineConfig(epochs=0)))
