"""Measuring layers, and folding BatchNorm by what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.fold import find_folds
from paredown.contracts import Fold, MeasureRequest
from paredown.errors import PlanError


def layers_of(hooks, model, shape):
    return hooks.measure(backend="paddle", model=model, request=MeasureRequest("layers", shape)).layers


def test_layers_are_told_in_order_of_execution_with_torchs_shapes(hooks, build):
    layers = layers_of(hooks, build("cnn"), (1, 8, 8))
    assert [layer.name for layer in layers if layer.kind != "other"] == [
        "conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "fc",
    ]  # fmt: skip
    convolution, norm = layers[0], layers[1]
    assert (convolution.weight_shape, convolution.input_shape) == ((32, 1, 3, 3), (1, 8, 8))
    assert (norm.source, norm.eps) == ("conv1", 1e-5)
    assert layers[-1].weight_shape == (10, 128)
    assert [layer.name for layer in layers if layer.is_output] == ["fc"]


def test_measuring_changes_nothing(hooks, build):
    model = build("cnn")
    model.train()
    model.bn1.eval()
    before = hooks.save(backend="paddle", model=model)
    layers_of(hooks, model, (1, 8, 8))
    assert (model.training, model.conv1.training, model.bn1.training) == (True, True, False)
    assert not any(layer._forward_post_hooks for layer in model.sublayers(include_self=True))
    after = hooks.save(backend="paddle", model=model)
    assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(("name", "shape"), [("resnet20", (1, 8, 8)), ("mobilenet_v3_small", (3, 32, 32))])
def test_folding_takes_every_batch_norm_away_and_changes_no_output(hooks, build, name, shape):
    model = build(name, shape=shape)
    images = np.random.default_rng(1).normal(size=(4, *shape)).astype(np.float32)
    layers = layers_of(hooks, model, shape)
    folds = find_folds(layers)
    assert len(folds) == sum(layer.kind == "batch_norm" for layer in layers)
    folded = hooks.fold(backend="paddle", model=model, folds=folds)
    before, after = (hooks.evaluate(backend="paddle", model=each, images=images) for each in (model, folded))
    assert np.abs(before - after).max() <= 1e-5 * np.abs(before).max()
    state = hooks.save(backend="paddle", model=folded)
    assert not [key for key in state if "running" in key]
    assert f"{folds[0].layer}.bias" in state
    assert "running" in " ".join(hooks.save(backend="paddle", model=model))


def test_a_fold_that_names_no_layer_is_refused(hooks, build):
    with pytest.raises(PlanError, match="conv9"):
        hooks.fold(backend="paddle", model=build("cnn"), folds=[Fold("conv9", "bn1")])
