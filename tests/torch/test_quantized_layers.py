"""What a layer computes with while it is trained with quantization: core's numbers, folded as they will be deployed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from quantizing_on_torch import (
    Given,
    fold,
    is_plain,
    quantized_weight,
    scales,
)
from torch import nn

from paredown.algorithms.fold import fold_factor
from paredown.algorithms.qparams import activation_qparams
from paredown.algorithms.quantizing import fake_quantize
from paredown.contracts import Fold
from paredown.plan import QuantPlan
from paredown_torch import plugin
from paredown_torch.quantized_training import QuantizedStudent


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize(
    "weights",
    [
        {"bits": 8},
        {"bits": 8, "weights": {"symmetric": False}},
        {"bits": 4, "weights": {"granularity": "tensor"}},
        {"bits": 4, "weights": {"granularity": "group", "group_size": 8}},
        {"bits": 4, "weights": {"symmetric": False, "granularity": "group", "group_size": 100}},
        {"bits": 2},
        {"bits": 1},
    ],
    ids=str,
)
def test_weights_are_cores_fake_quantization_of_the_folded_weights(weights, learned, build):
    model = build("cnn", 1, 8)
    quantizing, state = scales(model, learned=learned, **weights), plugin.save("torch", model)
    student = QuantizedStudent(model, quantizing)

    for point in quantizing.points:
        if point.port != "weight":
            continue
        norm = {f.layer: f.batch_norm for f in quantizing.folds}.get(point.layer)
        expected = fake_quantize(fold(state, point.layer, norm), point.tensor)
        if norm is not None:
            factor = fold_factor(state[f"{norm}.weight"], state[f"{norm}.running_var"], 1e-5).reshape(-1, 1, 1, 1)
            expected = (expected.astype(np.float64) / factor).astype(np.float32)
        assert quantized_weight(student, point.layer).tobytes() == expected.tobytes()


def test_in_evaluation_mode_the_student_is_the_simulated_folded_network(build, images):
    model, batch = build("cnn", 1, 8), images(4, 1, 8)
    quantizing = scales(model, ports=())
    folded = plugin.fold("torch", model, quantizing.folds)
    plugin.quantize("torch", folded, QuantPlan(target="portable", mode="qat", points=quantizing.points))
    expected = plugin.evaluate("torch", folded, batch)
    found = QuantizedStudent(model, quantizing).forward(torch.from_numpy(batch)).detach().numpy()

    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    assert np.abs(found - plugin.evaluate("torch", model, batch)).max() > 1e-2 * np.abs(expected).max()


def test_activations_are_cores_fake_quantization_with_the_scales_that_core_gives(images):
    model, batch = nn.Sequential(nn.Identity(), nn.Identity()), images(2)
    quantizing = Given({("0", "input", 0): activation_qparams(-1, 2), ("1", "output", 0): activation_qparams(0, 1)})
    found = QuantizedStudent(model, quantizing).forward(torch.from_numpy(batch)).detach().numpy()

    first = fake_quantize(batch, activation_qparams(-1, 2))
    assert found.tobytes() == fake_quantize(first, activation_qparams(0, 1)).tobytes()
    assert quantizing.asked == [
        (("0", "input", 0), float(batch.min()), float(batch.max())),
        (("1", "output", 0), float(first.min()), float(first.max())),
    ]


def test_an_output_point_of_a_folded_layer_lies_behind_its_batch_norm(images):
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).eval()
    tensor = activation_qparams(-1, 1, bits=4)
    quantizing = Given({("0", "output", 0): tensor}, folds=(Fold("0", "1"),))
    batch = torch.from_numpy(images(2, 1, 8))
    found = QuantizedStudent(model, quantizing).forward(batch)

    expected = np.maximum(fake_quantize(model[1](model[0](batch)).detach().numpy(), tensor), 0)
    assert found.detach().numpy().tobytes() == expected.tobytes()
    found.sum().backward()
    assert model[0].weight.grad.abs().sum() > 0
    assert is_plain(model)


def test_the_calls_of_a_layer_have_points_of_their_own(images):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.same = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            return self.same(x) + self.same(2 * x)

    tensors = {("same", "input", index): activation_qparams(0, 1 + index, bits=4) for index in (0, 1)}
    model, quantizing = Twice(), Given(tensors)
    student = QuantizedStudent(model, quantizing)
    for _ in range(2):
        student.forward(torch.ones(1, 1, 2, 2))
    assert [(key[2], high) for key, _, high in quantizing.asked] == [(0, 1.0), (1, 2.0)] * 2
