"""Folding BatchNorm."""

from __future__ import annotations

import numpy as np

from paredown.algorithms.fold import find_folds, fold_batch_norm
from paredown.contracts import Fold, LayerInfo


def layer(name: str, kind: str, source: str | None = None, *, is_output: bool = False) -> LayerInfo:
    return LayerInfo(name, kind, kind, (), (), (), source=source, is_output=is_output)


def test_a_folded_linear_layer_computes_what_both_computed():
    generator = np.random.default_rng(0)
    weight, bias = generator.standard_normal((5, 7)), generator.standard_normal(5)
    gamma, beta, mean = (generator.standard_normal(5) for _ in range(3))
    variance = generator.uniform(0.5, 2, 5)
    x = generator.standard_normal((11, 7))
    expected = (x @ weight.T + bias - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    folded_weight, folded_bias = fold_batch_norm(weight, bias, gamma, beta, mean, variance, 1e-5)
    assert folded_weight.dtype == folded_bias.dtype == np.float32
    np.testing.assert_allclose(x @ folded_weight.T + folded_bias, expected, atol=1e-5)


def test_a_layer_without_bias_gets_one():
    one = np.ones(1)
    _, bias = fold_batch_norm(np.ones((1, 1, 1, 1)), None, 2 * one, 3 * one, 5 * one, one, 0.0)
    np.testing.assert_array_equal(bias, [3 - 5 * 2])


def test_a_convolution_that_feeds_a_batch_norm_alone_is_folded():
    layers = (layer("conv", "conv"), layer("bn", "batch_norm", "conv"))
    assert find_folds(layers) == (Fold("conv", "bn"),)


def test_a_convolution_that_feeds_something_else_as_well_is_not():
    layers = (layer("conv", "conv"), layer("bn", "batch_norm", "conv"), layer("relu", "other", "conv"))
    assert find_folds(layers) == ()


def test_a_batch_norm_before_a_convolution_is_not():
    assert find_folds((layer("bn", "batch_norm"), layer("conv", "conv", "bn"))) == ()


def test_a_layer_that_is_called_twice_is_not():
    twice = layer("conv", "conv"), layer("bn", "batch_norm", "conv"), layer("conv", "conv", "bn")
    assert find_folds(twice) == ()
