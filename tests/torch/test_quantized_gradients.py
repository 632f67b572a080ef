"""Gradients through fake quantization: straight through, and those of learned scales as in the papers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from paredown.plan import QuantizedTensor
from paredown_torch.fake_quantization import grid_of
from paredown_torch.learned_scales import LearnedClip, LearnedScale
from paredown_torch.straight_through import straight_through


def gradient_of(function, values, upstream):
    leaf = torch.tensor(values, requires_grad=True)
    function(leaf).backward(torch.tensor(upstream))
    return leaf.grad


def test_gradients_pass_straight_through_inside_the_range_and_are_zero_outside():
    tensor = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(0.5,), zero_point=(0,))
    values = [-9.0, -3.76, -3.74, -0.2, 0.0, 3.5, 3.74, 3.76]
    leaf = torch.tensor(values)
    found = gradient_of(lambda x: straight_through(x, grid_of(tensor, leaf)), values, [2.0] * 8)

    assert found.tolist() == [0, 0, 2, 2, 2, 2, 2, 0]


def test_asymmetric_gradients_pass_where_the_integer_is_not_clipped():
    tensor = QuantizedTensor(bits=4, qmin=0, qmax=15, scale=(1.0,), zero_point=(5,))
    values = [-6.0, -5.4, 0.0, 10.4, 10.6]
    leaf = torch.tensor(values)
    assert gradient_of(lambda x: straight_through(x, grid_of(tensor, leaf)), values, [1.0] * 5).tolist() == [
        0,
        1,
        1,
        1,
        0,
    ]


def test_binary_gradients_all_pass():
    tensor = QuantizedTensor(bits=1, qmin=-1, qmax=1, scale=(0.5,), zero_point=(0,))
    values = [-3.0, -0.1, 0.0, 0.1, 3.0]
    leaf = torch.tensor(values)
    assert straight_through(leaf, grid_of(tensor, leaf)).tolist() == [-0.5, -0.5, 0.5, 0.5, 0.5]
    assert gradient_of(lambda x: straight_through(x, grid_of(tensor, leaf)), values, [3.0] * 5).tolist() == [3] * 5


def test_the_range_of_a_weight_is_that_of_the_folded_weight_and_dead_channels_stay():
    tensor = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(1.0, 1.0, 1.0), zero_point=(0,) * 3, axis=0)
    values = [[3.0, 4.0], [3.0, 4.0], [3.0, 4.0]]
    factor = torch.tensor([[1.0], [2.0], [0.0]], dtype=torch.float64)
    leaf = torch.tensor(values)
    assert straight_through(leaf, grid_of(tensor, leaf), factor).tolist() == [[3, 4], [3, 3.5], [3, 4]]
    found = gradient_of(lambda x: straight_through(x, grid_of(tensor, leaf), factor), values, [[1.0, 1.0]] * 3)
    assert found.tolist() == [[1, 1], [1, 0], [1, 1]]


def learned_gradients(tensor, values, upstream, sharing, factor=None):
    scale, leaf = LearnedScale(tensor, torch.device("cpu")), torch.tensor(values, requires_grad=True)
    scale.quantize(leaf, sharing, factor).backward(torch.tensor(upstream))
    return leaf.grad.tolist(), scale.parameter.grad


def test_the_gradient_of_a_learned_scale_is_the_papers():
    # v = x / 0.5 = -8, -7, -2.4, 0.8, 3, 7.2: slopes -7, -7, 0.4, 0.2, 0, 7 (equation 3).
    tensor = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(0.5,), zero_point=(0,))
    upstream = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    inner, found = learned_gradients(tensor, [-4.0, -3.5, -1.2, 0.4, 1.5, 3.6], upstream, sharing=6)

    assert inner == [0, 0, 3, 4, 5, 0]
    by_hand = (-7 * 1 - 7 * 2 + 0.4 * 3 + 0.2 * 4 + 0 * 5 + 7 * 6) / np.sqrt(6 * 7)
    # The parameter is the scale as a share of its start: SGD then moves the scale by lr * by_hand.
    assert found.item() * 0.5 == pytest.approx(by_hand, rel=1e-5)


def test_the_gradient_of_a_learned_scale_counts_from_the_zero_point():
    # v = x / 0.5 = -3, -2, 0.6, 12, 13 with 2 as zero point and 15 as greatest: slopes -2, -2, 0.4, 0, 13.
    tensor = QuantizedTensor(bits=4, qmin=0, qmax=15, scale=(0.5,), zero_point=(2,))
    inner, found = learned_gradients(tensor, [-1.5, -1.0, 0.3, 6.0, 6.5], [1.0] * 5, sharing=5)

    assert inner == [0, 0, 1, 1, 0]
    assert found.item() * 0.5 == pytest.approx((-2 - 2 + 0.4 + 0 + 13) / np.sqrt(5 * 15), rel=1e-5)


def test_each_group_and_channel_has_a_scale_of_its_own_and_binary_slopes_are_signs():
    grouped = QuantizedTensor(
        bits=4, qmin=-7, qmax=7, scale=(1.0, 2.0, 1.0, 1.0), zero_point=(0,) * 4, axis=0, group_size=2
    )
    _, found = learned_gradients(grouped, [[0.4, 0.3, 1.0], [0.0, 0.2, 9.0]], [[1.0, 1.0, 1.0], [1.0, 1.0, 2.0]], 1)
    assert (found * torch.tensor(grouped.scale) * np.sqrt(7)).tolist() == pytest.approx(
        [-0.7, -0.5, -0.2, 14], rel=1e-5
    )

    binary = QuantizedTensor(bits=1, qmin=-1, qmax=1, scale=(0.5, 0.25), zero_point=(0, 0), axis=0)
    inner, found = learned_gradients(binary, [[0.1, -9.0], [0.0, 0.3]], [[1.0, 2.0], [3.0, 4.0]], 4)
    assert inner == [[1, 2], [3, 4]]
    assert (found * torch.tensor(binary.scale) * 2).tolist() == [-1, 7]


def test_a_learned_scale_follows_the_factor_of_its_channel_and_learns_as_if_there_were_none():
    # Per channel: fake_quantize(w * k) / k with the scale s * |k| is what fake_quantize(w) with the scale s is.
    plain = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(0.5, 0.25), zero_point=(0, 0), axis=0)
    factor = torch.tensor([[4.0], [-0.125]], dtype=torch.float64)
    folded = plain.model_copy(update={"scale": (2.0, 0.03125)})
    values, gradients, scales = torch.tensor([[0.7, -1.3, 4.0], [0.3, -0.2, -2.0]]), [], []
    for tensor, k in ((plain, None), (folded, factor)):
        learned = LearnedScale(tensor, torch.device("cpu"), *([] if k is None else [lambda k=k: k.abs().flatten()]))
        learned.quantize(values, 3, k).backward(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        gradients.append(learned.parameter.grad.tolist())
        scales.append(learned.tensor().scale)

    assert gradients[0] == pytest.approx(gradients[1], rel=1e-6)
    assert scales == [plain.scale, folded.scale]


def test_the_gradient_of_a_folded_scale_is_divided_by_the_factor():
    tensor = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(1.0,), zero_point=(0,))
    factor = torch.tensor([2.0, 0.0], dtype=torch.float64)
    inner, found = learned_gradients(tensor, [0.7, 0.7], [3.0, 3.0], 1, factor)
    assert inner == [3, 3]
    assert found.item() == pytest.approx((1 - 1.4) / 2 * 3 / np.sqrt(7), rel=1e-5)


def test_the_gradient_of_a_learned_clip_is_the_papers():
    clip = LearnedClip(QuantizedTensor(bits=4, qmin=0, qmax=15, scale=(0.2,), zero_point=(0,)), torch.device("cpu"))
    values = torch.tensor([-1.0, 0.0, 0.29, 2.95, 3.1, 9.0], requires_grad=True)
    found = clip.quantize(values)
    found.backward(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))

    assert found.tolist() == pytest.approx([0, 0, 0.2, 3, 3, 3])
    assert values.grad.tolist() == [0, 2, 3, 4, 0, 0]
    assert clip.parameter.grad.item() == 11
