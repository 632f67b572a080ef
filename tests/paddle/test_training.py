"""Losses and the training loop."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from paredown.algorithms import losses as reference
from paredown.contracts import TrainingRun
from paredown.errors import ParedownError, UnsupportedError
from paredown.plan import DistillPlan, PlannedLoss
from paredown.spec.models import AdamWConfig, ConstantSchedule, SgdConfig


def digits(count=96):
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, count)
    images = random.normal(0, 0.3, (count, 1, 8, 8)).astype(np.float32)
    images[np.arange(count), 0, labels % 8, labels // 8] += 3
    return images, labels.astype(np.int64)


def plan_and_run(optimizer, kinds, *, epochs=2, teacher=None, rate=None, seen=None, images=None):
    from paredown_paddle import losses

    known, labels = digits()
    images = known if images is None else images.astype(np.float32)
    terms = tuple(PlannedLoss(kind=kind, options=options, weight=weight) for kind, options, weight in kinds)
    plan = DistillPlan(
        losses=terms, teacher="baseline" if teacher else None, epochs=epochs, batch_size=32, optimizer=optimizer,
        schedule=ConstantSchedule(),
    )  # fmt: skip
    run = TrainingRun(
        batches=lambda epoch: ((images[start : start + 32], labels[start : start + 32]) for start in (0, 32, 64)),
        steps_per_epoch=3,
        learning_rate=rate or (lambda step: optimizer.lr),
        losses=[getattr(losses, kind) for kind, _, _ in kinds],
        teacher=teacher,
        on_epoch=lambda epoch, loss: seen.append((epoch, loss)) if seen is not None else None,
    )
    return plan, run


@pytest.mark.parametrize("kind", ["hard_label", "kl"])
def test_losses_equal_cores_reference(hooks, kind):
    import paddle

    from paredown_paddle import losses

    random = np.random.default_rng(0)
    student, teacher = (random.normal(0, 5, (6, 10)).astype(np.float32) for _ in range(2))
    labels, options = np.arange(6), {"temperature": 4.0}
    tensors = [paddle.to_tensor(each) for each in (student, teacher, labels)]
    found = float(getattr(losses, kind)(*tensors, options))
    assert found == pytest.approx(getattr(reference, kind)(student, teacher, labels, options), rel=1e-5)


def test_soft_labels_need_a_teacher(hooks):
    from paredown_paddle import losses

    with pytest.raises(UnsupportedError, match="needs a teacher"):
        losses.kl(None, None, None, {"temperature": 1.0})


def test_training_under_a_teacher_lowers_the_loss_and_leaves_the_teacher_alone(hooks, build):
    student, teacher, seen = build("cnn"), build("cnn"), []
    before = hooks.save(backend="paddle", model=teacher)
    kinds = [("kl", {"temperature": 4.0}, 0.7), ("hard_label", {}, 0.3)]
    state = hooks.save(backend="paddle", model=student)
    state["fc.weight"] = state["fc.weight"][::-1]
    hooks.restore(backend="paddle", model=student, state=state)
    plan, run = plan_and_run(SgdConfig(lr=0.02, weight_decay=5e-4), kinds, epochs=3, teacher=teacher, seen=seen)
    outcome = hooks.distill(backend="paddle", model=student, plan=plan, run=run)
    losses = outcome.evidence["loss"]
    assert losses[-1] < losses[0]
    assert seen == list(enumerate(losses))
    assert not outcome.model.training
    after = hooks.save(backend="paddle", model=teacher)
    assert all(np.array_equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("optimizer", [SgdConfig(lr=0.05, nesterov=True), AdamWConfig(lr=0.001)])
def test_training_twice_gives_the_same_bytes(hooks, build, optimizer):
    states = []
    for _ in range(2):
        plan, run = plan_and_run(optimizer, [("hard_label", {}, 1.0)])
        outcome = hooks.distill(backend="paddle", model=build("cnn"), plan=plan, run=run)
        states.append(hooks.save(backend="paddle", model=outcome.model))
    assert all(np.array_equal(states[0][key], states[1][key]) for key in states[0])


def linear_step(optimizer, **changes):
    """A Linear layer trained on three batches; returns its weights before and after."""
    import paddle

    from paredown_paddle.distill import distill

    paddle.seed(0)
    model = paddle.nn.Sequential(paddle.nn.Flatten(), paddle.nn.Linear(64, 10, bias_attr=False))
    before = model[1].weight.numpy().astype(np.float64)
    plan, run = plan_and_run(optimizer, [("hard_label", {}, 1.0)], epochs=1, rate=lambda step: 0.1 / (step + 1))
    distill(model, plan, dataclasses.replace(run, **changes))
    return before, model[1].weight.numpy()


def gradient(weight, start):
    images, labels = digits()
    inputs = images[start : start + 32].reshape(32, -1).astype(np.float64)
    logits = inputs @ weight
    share = np.exp(reference.log_softmax(logits))
    share[np.arange(32), labels[start : start + 32]] -= 1
    return inputs.T @ share / 32


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_is_torchs(hooks, nesterov, dtype):
    config = SgdConfig(lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.01)
    weight, found = linear_step(config, dtype=dtype)
    velocity = np.zeros_like(weight)
    for step in range(3):
        slope = gradient(weight, 32 * step) + config.weight_decay * weight
        velocity = config.momentum * velocity + slope
        weight = weight - 0.1 / (step + 1) * (slope + config.momentum * velocity if nesterov else velocity)
    assert found == pytest.approx(weight, abs=1e-6)


def test_adamw_is_torchs(hooks):
    config = AdamWConfig(lr=0.1, weight_decay=0.01)
    weight, found = linear_step(config)
    first, second = np.zeros_like(weight), np.zeros_like(weight)
    for step in range(3):
        rate, slope = 0.1 / (step + 1), gradient(weight, 32 * step)
        weight = weight * (1 - rate * config.weight_decay)
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        scale = np.sqrt(second / (1 - 0.999 ** (step + 1))) + config.eps
        weight = weight - rate * first / (1 - 0.9 ** (step + 1)) / scale
    assert found == pytest.approx(weight, abs=1e-5)


def test_a_loss_that_is_no_number_stops_training_and_says_where(hooks, build):
    plan, run = plan_and_run(SgdConfig(lr=0.1), [("hard_label", {}, 1.0)], rate=lambda step: 1e30)
    with pytest.raises(ParedownError, match="epoch 1, step"):
        hooks.distill(backend="paddle", model=build("cnn"), plan=plan, run=run)


def test_images_that_are_no_numbers_stop_training_although_the_loss_is_finite(hooks, build):
    plan, run = plan_and_run(SgdConfig(lr=0.1), [("hard_label", {}, 1.0)], images=np.full((96, 1, 8, 8), np.nan))
    with pytest.raises(ParedownError, match="epoch 1, conv1"):
        hooks.distill(backend="paddle", model=build("cnn"), plan=plan, run=run)
