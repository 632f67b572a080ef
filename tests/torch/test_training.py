"""Losses equal their NumPy references; training lowers the loss, and does so the same way each time."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from paredown.algorithms import losses as reference
from paredown.contracts import TrainingRun
from paredown.errors import ParedownError, PlanError
from paredown.plan import DistillPlan, PlannedLoss
from paredown.spec.models import AdamWConfig, ConstantSchedule, SgdConfig
from paredown_torch import losses, plugin

HARD = PlannedLoss(kind="hard_label", options={}, weight=0.3)
SOFT = PlannedLoss(kind="kl", options={"temperature": 4.0}, weight=0.7)
SGD = SgdConfig(lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)


def plan(epochs=2, optimizer=SGD, terms=(HARD,), teacher=None):
    return DistillPlan(
        losses=terms, teacher=teacher, epochs=epochs, batch_size=16, optimizer=optimizer, schedule=ConstantSchedule()
    )


def training(teacher=None, rate=0.05, implementations=(losses.hard_label,), **more):
    def batches(epoch):
        generator = np.random.default_rng(epoch)
        for _ in range(4):
            labels = generator.integers(0, 10, 16)
            images = generator.standard_normal((16, 1, 8, 8)).astype(np.float32) * 0.1
            images[np.arange(16), 0, labels // 5, labels % 5] += 3
            yield images, labels

    return TrainingRun(batches, 4, lambda step: rate, implementations, teacher=teacher, **more)


@pytest.mark.parametrize("kind", ["hard_label", "kl"])
def test_a_loss_equals_its_reference(kind):
    generator = np.random.default_rng(0)
    student, teacher = (generator.normal(0, 5, (7, 10)).astype(np.float32) for _ in range(2))
    labels = generator.integers(0, 10, 7)
    tensors = (torch.from_numpy(student), torch.from_numpy(teacher), torch.from_numpy(labels))
    found = getattr(losses, kind)(*tensors, {"temperature": 4.0})

    expected = getattr(reference, kind)(student, teacher, labels, {"temperature": 4.0})
    assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("optimizer", [SGD, AdamWConfig(lr=0.01)])
def test_training_lowers_the_loss_and_ends_in_evaluation_mode(optimizer, build):
    model, seen = build("cnn", 1, 8), []
    run = training(rate=optimizer.lr, on_epoch=lambda epoch, loss: seen.append((epoch, loss)))
    outcome = plugin.distill("torch", model, plan(4, optimizer), run)

    assert outcome.evidence["loss"][-1] < 0.5 * outcome.evidence["loss"][0]
    assert seen == list(enumerate(outcome.evidence["loss"]))
    assert not outcome.model.training


@pytest.mark.parametrize("name", ["resnet20", "mobilenet_v2"])
def test_training_is_the_same_each_time_dropout_included(name, build):
    states = []
    for _ in range(2):
        torch.rand(3)  # the caller's generator moves on; training must not care
        model = plugin.distill("torch", build(name, 1, 8), plan(1), training()).model
        states.append(plugin.save("torch", model))

    assert all(states[0][name].tobytes() == states[1][name].tobytes() for name in states[0])


def test_a_step_of_sgd_is_the_formula_of_the_spec(build):
    model = build("cnn", 1, 8)
    by_hand = copy.deepcopy(model).train()
    plugin.distill("torch", model, plan(1), training())

    velocity = {name: torch.zeros_like(p) for name, p in by_hand.named_parameters()}
    for images, labels in training().batches(0):
        by_hand.zero_grad()
        (0.3 * losses.hard_label(by_hand(torch.from_numpy(images)), None, torch.from_numpy(labels), {})).backward()
        with torch.no_grad():
            for name, p in by_hand.named_parameters():
                gradient = p.grad + 5e-4 * p
                velocity[name] = 0.9 * velocity[name] + gradient
                p.sub_(0.05 * (gradient + 0.9 * velocity[name]))
    trained = plugin.save("torch", model)
    for name, p in by_hand.named_parameters():
        assert np.allclose(trained[name], p.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_a_student_learns_from_its_teacher_which_stays_as_it_was(build):
    teacher = build("cnn", 1, 8).train()
    before = plugin.save("torch", teacher)
    student = build("resnet20", 1, 8)
    run = training(teacher, implementations=(losses.kl, losses.hard_label))
    outcome = plugin.distill("torch", student, plan(3, terms=(SOFT, HARD), teacher="baseline"), run)

    assert outcome.evidence["loss"][-1] < outcome.evidence["loss"][0]
    assert teacher.training
    assert all(np.array_equal(values, before[name]) for name, values in plugin.save("torch", teacher).items())


def test_the_learning_rate_is_asked_for_at_every_step_of_the_whole_training(build):
    asked = []
    run = training()
    run = TrainingRun(run.batches, 4, lambda step: asked.append(step) or 0.01, run.losses)
    plugin.distill("torch", build("cnn", 1, 8), plan(2), run)

    assert asked == list(range(8))


def test_a_loss_that_is_not_finite_says_where_and_what_to_do(build):
    with pytest.raises(ParedownError) as raised:
        plugin.distill("torch", build("cnn", 1, 8), plan(3), training(rate=1e20))

    assert "epoch 1, step" in str(raised.value)
    assert "lower optimizer.lr" in str(raised.value)


class Fixed:
    """Masks that never change."""

    def __init__(self, masks):
        self.held = masks

    def masks(self):
        return self.held

    def is_due(self, step):
        return False

    def update(self, step, weights):
        raise AssertionError("it is never due")


def test_masked_weights_are_plus_zero_and_leave_nothing_behind(build):
    model = build("cnn", 1, 8)
    model.conv2.weight.data[0, 0, 0, 0] = float("nan")
    mask = np.zeros(tuple(model.conv2.weight.shape), bool)
    mask[1] = True
    run = training(masking=Fixed({"conv2.weight": mask}))
    attributes = set(vars(model.conv2))
    trained = plugin.distill("torch", model, plan(1), run).model

    weight = plugin.save("torch", trained)["conv2.weight"]
    assert not weight[~mask].any()
    assert not np.signbit(weight[~mask]).any()
    assert weight[mask].all()
    assert set(vars(trained.conv2)) == attributes
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in trained.modules())


def test_masks_hold_under_a_teacher(build):
    mask = np.random.default_rng(0).random((64, 32, 3, 3)) < 0.1
    student, teacher = build("cnn", 1, 8), build("resnet20", 1, 8)
    run = training(teacher, implementations=(losses.kl, losses.hard_label), masking=Fixed({"conv2.weight": mask}))
    trained = plugin.distill("torch", student, plan(1, terms=(SOFT, HARD), teacher="baseline"), run).model

    assert not plugin.save("torch", trained)["conv2.weight"][~mask].any()


def test_a_mask_of_another_network_is_refused_before_training(build):
    run = training(masking=Fixed({"conv9.weight": np.ones((2, 2), bool)}))
    with pytest.raises(PlanError, match=r"conv9\.weight"):
        plugin.distill("torch", build("cnn", 1, 8), plan(1), run)


def test_the_penalty_on_batch_norm_scales_leaves_frozen_scales_alone(build):
    model = build("cnn", 1, 8)
    model.bn1.weight.requires_grad_(False)
    before = plugin.save("torch", model)
    trained = plugin.save(
        "torch", plugin.distill("torch", model, plan(1).model_copy(update={"bn_l1": 1.0}), training()).model
    )

    assert np.array_equal(trained["bn1.weight"], before["bn1.weight"])
    assert np.abs(trained["bn2.weight"]).mean() < np.abs(before["bn2.weight"]).mean()
