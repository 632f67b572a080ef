"""What one backend cannot train for another. Whole runs that share a baseline stand in `test_detection.py`."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from paredown.contracts import ModelSource
from paredown.engine.networks import Recipe, prepared
from paredown.engine.training_process import require_equal
from paredown.errors import ModelError, UnsupportedError
from paredown.spec.models import BaselineConfig

SOURCE = ModelSource("cnn", 10, 1, (8, 8))
TRAINING = BaselineConfig(epochs=1, train_on="torch")


def test_a_network_of_other_arrays_is_refused_before_it_is_trained():
    bench = SimpleNamespace(
        backend="torch", build=lambda source: source, state=lambda _: {"fc.weight": np.ones((2, 3))}
    )
    recipe = Recipe(SOURCE, None, TRAINING)
    require_equal(bench, recipe, {"fc.weight": [2, 3]}, "paddle")
    with pytest.raises(ModelError) as caught:
        require_equal(bench, recipe, {"fc.weight": [3, 2], "fc.bias": [2]}, "paddle")
    (problem,) = caught.value.problems
    assert problem.what == "`torch` cannot train the baseline of `paddle`: they build different networks"
    assert problem.value == "2 arrays differ, such as `fc.weight`, `fc.bias`"


def test_images_of_a_callers_loader_go_to_no_other_process():
    bench = SimpleNamespace(backend="paddle", repeatable=False)
    with pytest.raises(UnsupportedError, match="a loader's images stay in its process"):
        prepared(bench, Recipe(SOURCE, None, TRAINING))
