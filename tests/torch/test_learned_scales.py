"""What is learned of scales: where it starts, how far a step moves it, what decays and what is shared."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from quantizing_on_torch import (
    plan,
    quantized_weight,
    scales,
    silent,
    training,
)
from torch import nn

from paredown.algorithms.qat import key_of
from paredown.algorithms.qparams import activation_qparams, weight_qparams
from paredown.algorithms.quantizing import fake_quantize
from paredown.plan import QuantizedTensor
from paredown.spec.models import QuantizeWeights, SgdConfig
from paredown_torch import plugin
from paredown_torch.learned_scales import LearnedClip, LearnedScale
from paredown_torch.optimizing import make_optimizer
from paredown_torch.quantized_training import QuantizedStudent


@pytest.mark.parametrize("kind", [LearnedScale, LearnedClip])
def test_no_step_changes_what_is_learned_by_more_than_a_tenth_and_it_comes_back_as_float32(kind):
    start = QuantizedTensor(bits=4, qmin=0, qmax=15, scale=(0.3,), zero_point=(0,))
    learned = kind(start, torch.device("cpu"))
    assert learned.tensor().scale[0] == pytest.approx(0.3, rel=1e-6)
    for _ in range(2):
        with torch.no_grad():
            learned.parameter.fill_(-3)
        learned.after_step()
    (scale,) = learned.tensor().scale
    assert scale == pytest.approx(0.3 * 0.81, rel=1e-6)
    assert scale == float(np.float32(scale))
    values = torch.rand(50) * 2 * scale * 15
    quantized = learned.quantize(values, 50) if kind is LearnedScale else learned.quantize(values)
    assert quantized.detach().numpy().tobytes() == fake_quantize(values.numpy(), learned.tensor()).tobytes()


@pytest.mark.parametrize("weights", [{}, {"granularity": "tensor"}, {"granularity": "group", "group_size": 9}], ids=str)
def test_learned_scales_of_weights_that_batch_norm_multiplies_with_zero_are_those_of_the_weights(weights, build):
    model = build("cnn", 1, 8)
    with torch.no_grad():
        model.bn2.weight.zero_()
    quantizing = scales(model, weights=weights, learned=True)
    student = QuantizedStudent(model, quantizing)
    student.before_step(0, "step 1")
    assert np.array_equal(quantized_weight(student, "conv2"), model.conv2.weight.detach().numpy())

    with torch.no_grad():
        model.bn2.weight.fill_(0.1)
    expected = weight_qparams(model.conv2.weight.detach().numpy(), QuantizeWeights(bits=4, **weights), "portable")
    found = quantized_weight(student, "conv2")
    wanted = fake_quantize(model.conv2.weight.detach().numpy(), expected)
    if weights.get("granularity") == "tensor":  # the unit is a mean over channels of other variances
        assert np.count_nonzero(found) > found.size / 2
    else:
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-7)
    assert quantizing.updates[0][0] == 0
    student.before_step(1, "step 2")
    assert len(quantizing.updates) == 1


def test_the_learned_scale_of_a_row_of_zeros_starts_from_its_first_numbers(build):
    model = build("cnn", 1, 8)
    with torch.no_grad():
        model.fc.weight[3] = 0
    student = QuantizedStudent(model, scales(model, learned=True))
    student.before_step(0, "step 1")
    before = student.learned()["fc", "weight", 0].scale
    with torch.no_grad():
        model.fc.weight[3] = 1e-3
        student._weights["fc"].scale.parameter.mul_(1.01)
    student.before_step(1, "step 2")

    after = student.learned()["fc", "weight", 0].scale
    assert after[3] == pytest.approx(1e-3 / 7)
    assert [share for share in np.divide(after, before) if share > 0.5] == pytest.approx([1.01] * 9)
    assert quantized_weight(student, "fc")[3] == pytest.approx(np.full(model.fc.in_features, 1e-3))


@pytest.mark.parametrize("more", [{"learned": True}, {"pact": True}], ids=str)
def test_what_is_learned_of_an_activation_that_was_zero_starts_from_the_first_batch_that_is_not(more, images):
    quantizing = silent(**more)
    student = QuantizedStudent(nn.Sequential(nn.Identity()), quantizing)
    assert not student.forward(torch.zeros(2, 4)).any()
    assert student.learned() == {}

    student.forward(torch.linspace(0, 1.5, 8).reshape(2, 4))
    assert student.learned() == {("0", "input", 0): activation_qparams(0.0, 1.5)}
    student.forward(torch.linspace(0, 9, 8).reshape(2, 4))
    assert student.learned() == {("0", "input", 0): activation_qparams(0.0, 1.5)}


def test_a_level_is_not_learned_where_the_first_numbers_are_below_zero():
    quantizing = silent(pact=True)
    student = QuantizedStudent(nn.Sequential(nn.Identity()), quantizing)
    batch = torch.linspace(-1, 1, 8).reshape(2, 4)
    found = student.forward(batch)
    assert found.numpy().tobytes() == fake_quantize(batch.numpy(), activation_qparams(-1.0, 1.0)).tobytes()
    assert student.learned() == {}
    assert quantizing.trained() == {("0", "input", 0): activation_qparams(-1.0, 1.0)}


def test_learned_scales_do_not_decay_and_learned_clips_do(build):
    model = build("cnn", 1, 8)
    optimizer = SgdConfig(lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.5)
    learned, start = [], {}
    for more in ({"learned": True}, {"pact": True}, {"learned": True, "pact": True}):
        quantizing = scales(model, 4, **more)
        start = {key_of(point): point.tensor.scale[0] for point in quantizing.points}
        student = QuantizedStudent(copy.deepcopy(model), quantizing)
        made = make_optimizer(student._model, optimizer, student)
        for parameter in (parameter for group in made.param_groups for parameter in group["params"]):
            parameter.grad = torch.zeros_like(parameter)
        made.step()
        assert all((scale == 1).all() for scale in student.scales)
        learned.append({key: t.scale[0] for key, t in student.learned().items() if key[1] == "input"})
    steps, clips, both = learned

    assert steps == {key: scale for key, scale in start.items() if key[1] == "input"}
    assert clips == {key: pytest.approx(start[key] * 0.95, rel=1e-6) for key in steps if key[0] != "conv1"}
    assert both == {**steps, **clips}


def test_points_of_one_tensor_learn_one_scale(build):
    leaders = {("conv3", "input", 0): ("conv2", "input", 0)}
    outcome = plugin.distill(
        "torch",
        build("cnn", 1, 8),
        plan(1),
        training(quantizing=scales(build("cnn", 1, 8), learned=True, leaders=leaders)),
    )
    assert ("conv2", "input", 0) in outcome.learned
    assert ("conv3", "input", 0) not in outcome.learned
