"""Scales, zero points, and quantization as the runtime does it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from paredown.algorithms.qparams import (
    affine_qparams,
    dequantize,
    fake_quantize,
    quantize,
    symmetric_qparams,
    weight_range,
)
from paredown.errors import DataError, UnsupportedError


@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (0.0, 6.0), (0.5, 2.0), (-4.0, -1.0), (-1e-3, 7e4)])
def test_zero_is_represented_exactly_and_the_range_is_covered(low, high):
    tensor = affine_qparams(low, high)
    values = np.array([0.0, low, high], np.float32)
    found = fake_quantize(values, tensor)
    assert found[0] == 0.0
    assert np.abs(found - values).max() <= tensor.scale[0] / 2 * 1.001
    assert (tensor.qmin, tensor.qmax) == (0, 255)


def test_scales_are_float32_numbers():
    scale = affine_qparams(-0.1, 0.7).scale[0]
    assert scale == float(np.float32(scale))


@pytest.mark.parametrize("bound", [0.0, 1e-44])
def test_a_tensor_that_is_zero_gets_scale_one(bound):
    tensor = affine_qparams(0.0, bound)
    assert (tensor.scale, tensor.zero_point) == ((1.0,), (0,))


@pytest.mark.parametrize(("low", "high"), [(math.nan, 1.0), (0.0, math.inf), (-math.inf, 0.0), (2.0, 1.0)])
def test_a_range_that_is_none_is_an_error_that_names_the_tensor(low, high):
    with pytest.raises(DataError) as caught:
        affine_qparams(low, high, where="conv1")
    assert caught.value.problems[0].where == "conv1"


def test_a_channel_of_zeros_gets_scale_one():
    tensor = symmetric_qparams(np.array([0.0, 2.0]), -64, 64)
    assert tensor.scale == (1.0, 2.0 / 64)
    assert tensor.zero_point == (0, 0)


def test_weights_that_are_not_finite_are_an_error():
    with pytest.raises(DataError, match="not finite"):
        symmetric_qparams(np.array([np.nan]), -64, 64)


@pytest.mark.parametrize("target", ["portable", "avx2"])
def test_two_products_never_saturate_16_bits_on_cpus_without_vnni(target):
    qmin, qmax = weight_range(8, target)
    assert 255 * max(-qmin, qmax) * 2 < 2**15


@pytest.mark.parametrize("target", ["vnni", "arm"])
def test_other_targets_use_the_full_range(target):
    assert weight_range(8, target) == (-127, 127)


def test_an_unknown_target_is_refused():
    with pytest.raises(UnsupportedError, match="target"):
        weight_range(8, "abacus")


def test_rounding_takes_half_to_even():
    tensor = symmetric_qparams(np.array([64.0]), -64, 64, axis=None)
    assert tensor.scale == (1.0,)
    np.testing.assert_array_equal(quantize(np.array([0.5, 1.5, 2.5, -0.5, -1.5]), tensor), [0, 2, 2, 0, -2])


def test_quantizing_twice_changes_nothing():
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    tensor = affine_qparams(float(values.min()), float(values.max()))
    once = fake_quantize(values, tensor)
    np.testing.assert_array_equal(fake_quantize(once, tensor), once)


def test_each_channel_has_its_scale():
    weight = np.array([[1.0, -0.5], [100.0, 25.0]], np.float32)
    tensor = symmetric_qparams(np.abs(weight).max(axis=1), -64, 64, axis=0)
    np.testing.assert_array_equal(quantize(weight, tensor), [[64, -32], [64, 16]])
    np.testing.assert_array_equal(dequantize(quantize(weight, tensor), tensor), weight)


@pytest.mark.parametrize("signed", [False, True])
def test_fake_quantization_is_the_runtimes_bit_for_bit(build, evaluate, signed):
    values = np.random.default_rng(0).normal(0, 3, (64, 2, 6, 6)).astype(np.float32)
    tensor = symmetric_qparams(np.array([5.0]), -127, 127, axis=None) if signed else affine_qparams(-2.7, 6.1)
    constants = {
        "s": np.float32(tensor.scale[0]),
        "z": (np.int8 if signed else np.uint8)(tensor.zero_point[0]),
    }
    nodes = [("QuantizeLinear", ["x", "s", "z"], ["q"]), ("DequantizeLinear", ["q", "s", "z"], ["y"])]
    model = build(nodes, constants, output=("N", 2, 6, 6))
    clipped = np.clip(values, -4.9, 4.9) if signed else values
    np.testing.assert_array_equal(fake_quantize(clipped, tensor), evaluate(model, clipped))
