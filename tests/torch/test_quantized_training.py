"""Training with fake quantization: the forward pass is core's arithmetic, gradients are the papers', nothing stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from quantizing_on_torch import (
    SGD,
    Given,
    is_plain,
    plan,
    quantized_weight,
    scales,
    silent,
    training,
)
from torch import nn

from paredown.algorithms.qat import key_of
from paredown.contracts import Fold
from paredown.errors import PlanError, TrainingDiverged
from paredown.plan import PlannedLoss, QuantizedTensor
from paredown.spec.models import AdamWConfig
from paredown_torch import losses, plugin
from paredown_torch.quantized_training import QuantizedStudent


@pytest.mark.parametrize("bits", [8, 4, 2, 1])
@pytest.mark.parametrize("more", [{}, {"learned": True}, {"pact": True}], ids=str)
@pytest.mark.parametrize("optimizer", [SGD, AdamWConfig(lr=0.01)], ids=lambda config: config.kind)
def test_training_lowers_the_loss_at_every_width(bits, more, optimizer, build):
    model = build("cnn", 1, 8)
    quantizing = scales(model, bits, **more)
    outcome = plugin.distill("torch", model, plan(4, optimizer), training(optimizer.lr, quantizing=quantizing))

    assert outcome.evidence["loss"][-1] < 0.6 * outcome.evidence["loss"][0]
    starts = {key_of(point): point.tensor for point in quantizing.points}
    # The first layer reads images, whose range does not start at zero.
    clips = {key for key in starts if key[1] == "input" and key[0] != "conv1"}
    assert set(outcome.learned) == (set(starts) if "learned" in more else clips if "pact" in more else set())
    for key, tensor in outcome.learned.items():
        assert tensor != starts[key]
        assert tensor.zero_point == starts[key].zero_point
        assert all(scale > 0 and scale == float(np.float32(scale)) for scale in tensor.scale)


def test_scales_are_asked_for_at_every_step_with_the_real_weights(build):
    model, seen = build("cnn", 1, 8), []
    start = plugin.save("torch", model)
    quantizing = scales(model, every=3)
    run = training(quantizing=quantizing, on_epoch=lambda *_: seen.append(plugin.save("torch", model)))
    plugin.distill("torch", model, plan(2), run)

    assert quantizing.due == list(range(8))
    assert [step for step, _ in quantizing.updates] == [0, 3, 6]
    assert all(np.array_equal(values, start[name]) for name, values in quantizing.updates[0][1].items())
    assert seen[0].keys() == start.keys()
    assert len(np.unique(seen[0]["conv2.weight"][0])) == start["conv2.weight"][0].size
    inputs = [key for key, _, _ in quantizing.asked]
    assert len(inputs) == 8 * 4


def test_batch_norm_keeps_its_statistics_from_the_step_that_core_names(build):
    model, seen = build("cnn", 1, 8), []
    run = training(quantizing=scales(model, freeze=4), on_epoch=lambda *_: seen.append(plugin.save("torch", model)))
    start = plugin.save("torch", model)
    plugin.distill("torch", model, plan(3), run)

    first, second, third = seen
    for name in ("bn1.running_mean", "bn3.running_var"):
        assert not np.array_equal(start[name], first[name])
        assert np.array_equal(first[name], second[name])
        assert np.array_equal(first[name], third[name])
    for name in ("bn1.weight", "conv1.weight"):
        assert not np.array_equal(second[name], third[name])


class Fixed:
    """Masks that never change."""

    def __init__(self, masks):
        self.held = masks

    def masks(self):
        return self.held

    def is_due(self, step):
        return False


@pytest.mark.parametrize("more", [{}, {"learned": True}, {"weights": {"symmetric": False}}], ids=str)
def test_masked_weights_stay_zero_and_are_quantized_to_zero(more, build):
    model = build("cnn", 1, 8)
    mask = np.random.default_rng(0).random((64, 32, 3, 3)) < 0.3
    quantizing = scales(model, **more)
    run = training(quantizing=quantizing, masking=Fixed({"conv2.weight": mask}))
    trained = plugin.distill("torch", model, plan(1), run).model

    assert not plugin.save("torch", trained)["conv2.weight"][~mask].any()
    assert plugin.save("torch", trained)["conv2.weight"][mask].all()
    assert not quantized_weight(QuantizedStudent(trained, quantizing), "conv2")[~mask].any()


def test_the_teacher_is_never_quantized(build):
    student, teacher = build("cnn", 1, 8), build("cnn", 1, 8)
    quantizing, before = scales(student), plugin.save("torch", teacher)
    run = replace(training(teacher=teacher, quantizing=quantizing), losses=(losses.kl,))
    soft = PlannedLoss(kind="kl", options={"temperature": 4.0}, weight=1.0)
    plugin.distill("torch", student, plan(1).model_copy(update={"losses": (soft,)}), run)

    assert len(quantizing.asked) == 4 * 4
    assert all(np.array_equal(values, before[name]) for name, values in plugin.save("torch", teacher).items())


@pytest.mark.parametrize("more", [{}, {"learned": True}, {"pact": True}], ids=str)
def test_nothing_stays_in_the_network(more, build):
    model = build("cnn", 1, 8)
    before = {name: set(vars(module)) for name, module in model.named_modules()}
    parameters, state = dict(model.named_parameters()), list(model.state_dict())
    plugin.distill("torch", model, plan(1), training(quantizing=scales(model, **more)))

    assert {name: set(vars(module)) for name, module in model.named_modules()} == before
    assert all(dict(model.named_parameters())[name] is parameter for name, parameter in parameters.items())
    assert list(model.state_dict()) == state
    assert is_plain(model)


def test_nothing_stays_in_the_network_after_an_error(build):
    model = build("cnn", 1, 8)
    parameters = dict(model.named_parameters())
    quantizing = scales(model)
    quantizing.activation = lambda key, minimum, maximum: 1 / (key[0] != "fc")

    with pytest.raises((ZeroDivisionError, AttributeError)):
        plugin.distill("torch", model, plan(1), training(quantizing=quantizing))
    assert all(dict(model.named_parameters())[name] is parameter for name, parameter in parameters.items())
    assert is_plain(model)
    assert not model.training


def test_an_evaluation_between_epochs_sees_the_float_network(build, images):
    model, batch = build("cnn", 1, 8), images(2, 1, 8)
    quantizing, found = scales(model, bits=1), []

    def evaluate(*_):
        asked = len(quantizing.asked)
        found.append(plugin.evaluate("torch", model, batch))
        assert len(quantizing.asked) == asked

    trained = plugin.distill("torch", model, plan(1), training(quantizing=quantizing, on_epoch=evaluate)).model
    assert np.array_equal(found[0], plugin.evaluate("torch", trained, batch))


@pytest.mark.parametrize("more", [{}, {"learned": True}], ids=str)
def test_training_is_the_same_each_time(more, build):
    states, learned = [], []
    for _ in range(2):
        model = build("resnet20", 1, 8)
        run = training(rate=1e-3, quantizing=scales(model, every=4, **more))
        outcome = plugin.distill("torch", model, plan(1), run)
        states.append(plugin.save("torch", outcome.model))
        learned.append(outcome.learned)
        torch.rand(3)

    assert all(states[0][name].tobytes() == states[1][name].tobytes() for name in states[0])
    assert learned[0] == learned[1]


def test_without_quantizing_nothing_is_learned(build):
    outcome = plugin.distill("torch", build("cnn", 1, 8), plan(1), training())
    assert outcome.learned == {}
    assert list(outcome.evidence) == ["loss"]


@pytest.mark.parametrize("more", [{}, {"learned": True}, {"pact": True}], ids=str)
def test_a_training_that_diverges_says_where(more, build):
    model = build("cnn", 1, 8)
    with pytest.raises(TrainingDiverged, match="epoch 1, step 2"):
        plugin.distill("torch", model, plan(3), training(float("nan"), quantizing=scales(model, **more)))


def test_an_activation_that_is_not_finite_says_where(images):
    student = QuantizedStudent(nn.Sequential(nn.Identity()), silent())
    with pytest.raises(TrainingDiverged, match="step 1, input of 0"):
        student.forward(torch.full((2, 4), float("nan")))


TENSOR = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(0.1,), zero_point=(0,))


UNFIT = [
    ({("conv9", "weight", 0): TENSOR}, (), "conv9"),
    ({("conv9", "input", 0): TENSOR}, (), "conv9"),
    ({("relu1", "weight", 0): TENSOR}, (), "relu1"),
    ({("conv1", "weight", 0): TENSOR.model_copy(update={"axis": 0})}, (), "weight of conv1"),
    ({("conv1", "input", 0): TENSOR.model_copy(update={"axis": 1})}, (), "input of conv1"),
    ({("conv1", "weight", 0): TENSOR}, (Fold("conv1", "relu1"),), "relu1"),
    ({("conv1", "input", 1): TENSOR}, (), "input of conv1"),
]


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize(("tensors", "folds", "where"), UNFIT)
def test_points_of_another_network_are_refused_before_it_learns(tensors, folds, where, learned, build):
    model = build("cnn", 1, 8)
    before = plugin.save("torch", model)
    with pytest.raises(PlanError) as raised:
        plugin.distill("torch", model, plan(1), training(quantizing=Given(tensors, folds=folds, learned=learned)))

    assert raised.value.problems[0].where == where
    assert raised.value.problems[0].remedy
    assert np.array_equal(plugin.save("torch", model)["conv1.weight"], before["conv1.weight"])
