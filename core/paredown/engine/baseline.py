"""The uncompressed network of a run."""

from __future__ import annotations

from paredown.contracts import Model
from paredown.engine.networks import Recipe, prepared
from paredown.engine.workbench import Workbench
from paredown.spec.models import BaselineConfig


def prepare_baseline(bench: Workbench) -> tuple[Model, tuple[str, ...]]:
    """The baseline network, and notes for the reader (a head that was initialised anew, a cache that was used)."""
    network = bench.spec.model
    weights, strict = (None, True) if network is None else (network.weights, network.strict)
    training = bench.spec.baseline or BaselineConfig(epochs=0)
    model, notes = prepared(bench, Recipe(bench.source, weights, training, strict=strict))
    built = (f"built by `{bench.source.name}`, which the user trusts",) if bench.source.build is not None else ()
    return model, (*built, *notes)
