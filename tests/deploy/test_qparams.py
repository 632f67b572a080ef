"""Scales, zero points, and quantization as the runtime does it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from paredown.algorithms.qparams import (
    AT_RUN_TIME,
    activation_qparams,
    runtime_qparams,
    weight_qparams,
    weight_range,
)
from paredown.algorithms.quantizing import dequantize, fake_quantize, quantize
from paredown.errors import DataError, UnsupportedError
from paredown.spec.models import QuantizeWeights


def weights(values, target="vnni", **options):
    return weight_qparams(np.asarray(values, np.float32), QuantizeWeights(**options), target)


@pytest.mark.parametrize("bits", [16, 8, 4])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (0.0, 6.0), (0.5, 2.0), (-4.0, -1.0), (-1e-3, 7e4)])
def test_zero_is_represented_exactly_and_the_range_is_covered(low, high, symmetric, bits):
    tensor = activation_qparams(low, high, bits=bits, symmetric=symmetric)
    values = np.array([0.0, low, high], np.float32)
    found = fake_quantize(values, tensor)
    assert found[0] == 0.0
    # Half a step for rounding, and half for a zero point that was rounded too.
    assert np.abs(found - values).max() <= tensor.scale[0] * (0.5 if symmetric else 1.0) * 1.001


@pytest.mark.parametrize(
    ("bits", "symmetric", "limits", "scale", "zero_point"),
    [
        (8, False, (0, 255), 4 / 255, 64),
        (16, False, (0, 65535), 4 / 65535, 16384),
        (4, False, (0, 15), 4 / 15, 4),
        (8, True, (-127, 127), 3 / 127, 0),
        (16, True, (-32767, 32767), 3 / 32767, 0),
        (4, True, (-7, 7), 3 / 7, 0),
    ],
)
def test_the_range_from_minus_one_to_three_by_hand(bits, symmetric, limits, scale, zero_point):
    tensor = activation_qparams(-1.0, 3.0, bits=bits, symmetric=symmetric)
    assert (tensor.qmin, tensor.qmax) == limits
    assert tensor.scale == (float(np.float32(scale)),)
    assert tensor.zero_point == (zero_point,)
    assert tensor.bits == bits


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("bound", [0.0, 1e-44])
def test_a_tensor_that_is_zero_gets_scale_one(bound, symmetric):
    tensor = activation_qparams(0.0, bound, symmetric=symmetric)
    assert (tensor.scale, tensor.zero_point) == ((1.0,), (0,))


@pytest.mark.parametrize(("low", "high"), [(math.nan, 1.0), (0.0, math.inf), (-math.inf, 0.0), (2.0, 1.0)])
def test_a_range_that_is_none_is_an_error_that_names_the_tensor(low, high):
    with pytest.raises(DataError) as caught:
        activation_qparams(low, high, where="conv1")
    assert caught.value.problems[0].where == "conv1"


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [8, 4])
def test_a_channel_of_zeros_gets_scale_one(bits, symmetric):
    tensor = weights([[0.0, 0.0], [1.0, 2.0]], bits=bits, symmetric=symmetric)
    assert tensor.scale[0] == 1.0
    assert tensor.zero_point[0] == 0


def test_a_ternary_channel_of_zeros_gets_scale_one():
    assert weights([[0.0, 0.0], [1.0, 1.0]], bits=2).scale == (1.0, 1.0)


@pytest.mark.parametrize("granularity", ["channel", "tensor", "group"])
def test_a_binary_row_of_zeros_stays_as_good_as_zero(granularity):
    values = np.zeros((2, 4), np.float32)
    values[1:] = 0.5 if granularity != "tensor" else 0.0
    tensor = weights(values, bits=1, granularity=granularity, group_size=4 if granularity == "group" else None)
    assert tensor.scale[0] == np.finfo(np.float32).tiny
    np.testing.assert_allclose(fake_quantize(values, tensor), values, rtol=0, atol=1e-30)


@pytest.mark.parametrize("granularity", ["channel", "tensor", "group"])
def test_weights_that_are_not_finite_are_an_error(granularity):
    with pytest.raises(DataError, match="not finite"):
        weights([[np.nan, 1.0]], granularity=granularity, group_size=2)


@pytest.mark.parametrize("target", ["portable", "avx2"])
def test_two_products_never_saturate_16_bits_on_cpus_without_vnni(target):
    qmin, qmax = weight_range(8, target)
    assert 255 * max(-qmin, qmax) * 2 < 2**15


@pytest.mark.parametrize(
    ("bits", "symmetric", "full", "reduced"),
    [
        (8, True, (-127, 127), (-64, 64)),
        (8, False, (0, 255), (0, 127)),
        (4, True, (-7, 7), (-7, 7)),
        (4, False, (0, 15), (0, 15)),
        (2, True, (-1, 1), (-1, 1)),
        (1, True, (-1, 1), (-1, 1)),
    ],
)
def test_the_integers_of_each_width(bits, symmetric, full, reduced):
    for target in ("vnni", "arm"):
        assert weight_range(bits, target, symmetric=symmetric) == full
    for target in ("portable", "avx2"):
        assert weight_range(bits, target, symmetric=symmetric) == reduced


@pytest.mark.parametrize(("bits", "symmetric"), [(3, True), (16, True), (2, False), (1, False)])
def test_a_width_that_no_file_has_is_refused(bits, symmetric):
    with pytest.raises(UnsupportedError, match="width"):
        weight_range(bits, "portable", symmetric=symmetric)


def test_an_unknown_target_is_refused():
    with pytest.raises(UnsupportedError, match="target"):
        weight_range(8, "abacus")


WEIGHT = [[[7.0, -3.5], [0.0, 1.75]], [[14.0, -28.0], [7.0, 3.5]]]
"""Two output channels of four weights."""


@pytest.mark.parametrize(
    ("options", "scale", "zero_point", "integers"),
    [
        ({"granularity": "channel"}, (1, 4), (0, 0), [[7, -4, 0, 2], [4, -7, 2, 1]]),
        ({"granularity": "tensor"}, (4,), (0,), [[2, -1, 0, 0], [4, -7, 2, 1]]),
        ({"granularity": "group", "group_size": 2}, (1, 0.25, 4, 1), (0,) * 4, [[7, -4, 0, 7], [4, -7, 7, 4]]),
        ({"granularity": "group", "group_size": 3}, (1, 0.25, 4, 0.5), (0,) * 4, [[7, -4, 0, 7], [4, -7, 2, 7]]),
        ({"granularity": "channel", "symmetric": False}, (0.7, 2.8), (5, 10), [[15, 0, 5, 7], [15, 0, 12, 11]]),
        ({"granularity": "tensor", "symmetric": False}, (2.8,), (10,), [[12, 9, 10, 11], [15, 0, 12, 11]]),
        (
            {"granularity": "group", "group_size": 3, "symmetric": False},
            (0.7, 1.75 / 15, 2.8, 3.5 / 15),
            (5, 0, 10, 0),
            [[15, 0, 5, 15], [15, 0, 12, 15]],
        ),
    ],
)
def test_weights_of_four_bits_by_hand(options, scale, zero_point, integers):
    tensor = weights(WEIGHT, bits=4, **options)
    assert tensor.scale == pytest.approx(scale, rel=1e-7)
    assert tensor.zero_point == zero_point
    weight = np.asarray(WEIGHT, np.float32)
    found = quantize(weight, tensor)
    assert found.dtype == (np.int8 if options.get("symmetric", True) else np.uint8)
    np.testing.assert_array_equal(found.reshape(2, 4), integers)
    restored = (found.reshape(2, 4).astype(np.float64) - _each(zero_point, options)) * _each(tensor.scale, options)
    np.testing.assert_array_equal(dequantize(found, tensor).reshape(2, 4), restored.astype(np.float32))


def _each(numbers, options):
    """A row's number for each of the eight weights."""
    size = {"tensor": 8, "channel": 4}.get(options["granularity"], options.get("group_size"))
    if options["granularity"] == "tensor":
        return np.full((2, 4), numbers[0])
    return np.stack([np.repeat(half, size)[:4] for half in np.reshape(numbers, (2, -1))])


@pytest.mark.parametrize(
    ("options", "scale", "integers"),
    [
        # [10, 8, -1, 2]: keeping k of them saves 10^2, 18^2 / 2, 20^2 / 3, 21^2 / 4: two are kept, at their mean.
        ({"granularity": "channel"}, (9.0, 4.0), [[1, 1, 0, 0], [1, -1, 1, 0]]),
        # Of [-1, 2], both saves 3^2 / 2, and the greater alone 2^2.
        ({"granularity": "group", "group_size": 2}, (9.0, 1.5, 4.0, 4.0), [[1, 1, -1, 1], [1, -1, 1, 0]]),
    ],
)
def test_ternary_weights_by_hand(options, scale, integers):
    tensor = weights([[10.0, 8.0, -1.0, 2.0], [4.0, -4.0, 4.0, 0.0]], bits=2, **options)
    assert tensor.scale == scale
    found = quantize(np.asarray([[10.0, 8.0, -1.0, 2.0], [4.0, -4.0, 4.0, 0.0]], np.float32), tensor)
    np.testing.assert_array_equal(found, integers)


def test_no_other_ternary_scale_has_a_smaller_error():
    values = np.random.default_rng(0).standard_t(3, 500).astype(np.float32)[None]
    tensor = weights(values, bits=2)
    error = np.square(fake_quantize(values, tensor) - values).sum()
    for factor in np.linspace(0.2, 3, 200):
        other = tensor.model_copy(update={"scale": (tensor.scale[0] * factor,)})
        assert error <= np.square(fake_quantize(values, other) - values).sum() * (1 + 1e-6)


def test_binary_weights_are_the_sign_times_the_mean_magnitude():
    values = np.asarray([[1.0, -3.0, 0.0, 2.0], [-0.5, 0.5, -0.5, 0.5]], np.float32)
    tensor = weights(values, bits=1)
    assert tensor.scale == (1.5, 0.5)
    np.testing.assert_array_equal(quantize(values, tensor), [[1, -1, 1, 1], [-1, 1, -1, 1]])
    np.testing.assert_array_equal(fake_quantize(values, tensor), [[1.5, -1.5, 1.5, 1.5], [-0.5, 0.5, -0.5, 0.5]])


@pytest.mark.parametrize("target", ["portable", "vnni"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("granularity", ["channel", "tensor"])
def test_a_scale_is_never_too_small_for_its_bias(granularity, symmetric, target):
    options = QuantizeWeights(symmetric=symmetric, granularity=granularity)
    _, qmax = weight_range(8, target, symmetric=symmetric)
    weight = np.asarray([[1e-6, -1e-6], [1.0, -1.0]], np.float32)
    tensor = weight_qparams(weight, options, target, least_absmax=np.array([0.5 * qmax, 0.0]))
    assert tensor.scale[0] >= 0.5
    np.testing.assert_allclose(fake_quantize(weight, tensor), weight, atol=max(tensor.scale) / 2 * 1.001)


def test_rounding_takes_half_to_even():
    tensor = weights([127.0], granularity="tensor")
    assert tensor.scale == (1.0,)
    np.testing.assert_array_equal(quantize(np.array([0.5, 1.5, 2.5, -0.5, -1.5]), tensor), [0, 2, 2, 0, -2])


def test_quantizing_twice_changes_nothing():
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    tensor = activation_qparams(float(values.min()), float(values.max()))
    once = fake_quantize(values, tensor)
    np.testing.assert_array_equal(fake_quantize(once, tensor), once)


@pytest.mark.parametrize(
    ("bits", "symmetric", "dtype"),
    [(16, True, np.int16), (16, False, np.uint16), (8, True, np.int8), (8, False, np.uint8), (4, True, np.int8)],
)
def test_integers_have_the_smallest_type_that_holds_them(bits, symmetric, dtype):
    tensor = activation_qparams(-1.0, 1.0, bits=bits, symmetric=symmetric)
    found = quantize(np.array([-9.0, 9.0]), tensor)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, [tensor.qmin, tensor.qmax])


@pytest.mark.parametrize(("bits", "symmetric"), [(8, False), (8, True), (16, False), (16, True)])
def test_fake_quantization_is_the_runtimes_bit_for_bit(build, evaluate, bits, symmetric):
    values = np.random.default_rng(0).normal(0, 3, (64, 2, 6, 6)).astype(np.float32)
    tensor = activation_qparams(-2.7, 6.1, bits=bits, symmetric=symmetric)
    dtype = np.dtype(f"{'' if symmetric else 'u'}int{bits}")
    constants = {"s": np.float32(tensor.scale[0]), "z": dtype.type(tensor.zero_point[0])}
    nodes = [("QuantizeLinear", ["x", "s", "z"], ["q"]), ("DequantizeLinear", ["q", "s", "z"], ["y"])]
    model = build(nodes, constants, output=("N", 2, 6, 6))
    # The types have one integer more below zero than the symmetric range.
    clipped = np.clip(values, -6.05, 6.05) if symmetric else values
    np.testing.assert_array_equal(fake_quantize(clipped, tensor), evaluate(model, clipped))


@pytest.mark.parametrize("shift", [-9.0, 0.0, 9.0])
def test_ranges_at_run_time_are_the_runtimes_bit_for_bit(build, evaluate, shift):
    values = np.random.default_rng(0).normal(shift, 1, (8, 2, 6, 6)).astype(np.float32)
    nodes = [
        ("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        ("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    model = build(nodes, output=("N", 2, 6, 6))
    np.testing.assert_array_equal(fake_quantize(values, AT_RUN_TIME), evaluate(model, values))


def test_a_tensor_of_zeros_stays_zero_at_run_time():
    assert runtime_qparams(0.0, 0.0).scale == (1.0,)
    np.testing.assert_array_equal(fake_quantize(np.zeros(3, np.float32), AT_RUN_TIME), np.zeros(3))


def test_groups_longer_than_the_weights_of_a_channel_are_one_group_and_take_no_memory():
    weight = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    wide = weight_qparams(weight, QuantizeWeights(bits=4, granularity="group", group_size=10**12), "portable")
    assert wide.scale == weight_qparams(weight, QuantizeWeights(bits=4), "portable").scale
    by_channel = wide.model_copy(update={"group_size": None})
    np.testing.assert_array_equal(fake_quantize(weight, wide), fake_quantize(weight, by_channel))
