"""Whatever teaches, the loop keeps its word: hooks go, teachers stay, projections learn, averages are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lessons import HARD, SOFT, features, of_means, plan, squared, training

from paredown.algorithms.loss_schedules import loss_weights
from paredown.contracts import MeasureRequest
from paredown.errors import ParedownError, PlanError
from paredown.spec.losses import LossSchedule
from paredown_torch import losses, plugin


def state(model):
    return plugin.save("torch", model)


def hooks_of(model):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_taps_are_the_outputs_of_layers_and_blocks(build):
    found = plugin.measure("torch", build("resnet20", 1, 8), MeasureRequest("taps", (1, 8, 8))).taps
    assert found["layer2"] == found["layer2.2"] == (32, 4, 4)
    assert found["fc"] == (10,)
    assert list(found).index("layer1.0.conv1") < list(found).index("layer1") < list(found).index("layer2")


def test_a_tap_is_what_its_own_layer_gives_although_the_next_works_in_place(build):
    from paredown_torch.taps import captured

    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(inplace=True))
    with captured(model, ["0"]) as found:
        model(torch.randn(1, 1, 8, 8))
    assert (found["0"] < 0).any()


def test_a_shared_layer_gives_an_output_at_each_call():
    from paredown_torch.taps import captured

    class Shared(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Conv2d(1, 1, 3)

        def forward(self, x):
            return self.head(self.head(x))

    model = Shared()
    found = plugin.measure("torch", model, MeasureRequest("taps", (1, 8, 8))).taps
    assert found == {"head": (1, 6, 6), "head:1": (1, 4, 4)}
    images = torch.randn(2, 1, 8, 8)
    with captured(model, ["head:1"]) as kept:
        for _ in range(2):
            outputs = model(images)
    assert list(kept) == ["head:1"]
    assert torch.equal(kept["head:1"], outputs)
    assert hooks_of(model) == 0


def test_features_of_a_teacher_move_the_student_and_leave_no_hook(build):
    student, teacher = build("cnn", 1, 8), build("resnet20", 1, 8)
    before = state(teacher)
    terms = (features(("relu2", "layer2"), projection=(32, 64, 1, 1)), HARD)
    arrays = {(0, 0): np.full((32, 64, 1, 1), 0.1, np.float32)}
    run = training(squared, losses.hard_label, teacher=teacher, projections=arrays)
    outcome = plugin.distill("torch", student, plan(*terms, epochs=3, teacher="zoo"), run)

    assert outcome.evidence["loss"][-1] < outcome.evidence["loss"][0]
    assert hooks_of(student) == hooks_of(teacher) == 0
    assert all(np.array_equal(values, before[name]) for name, values in state(teacher).items())
    assert np.all(arrays[0, 0] == np.float32(0.1))
    assert state(outcome.model).keys() == state(build("cnn", 1, 8)).keys()


def test_a_projection_learns(build, monkeypatch):
    from paredown_torch import signals

    made = []

    class Remembering(signals.Projections):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.extend(self.parameters)

    monkeypatch.setattr("paredown_torch.distill.Projections", Remembering)
    arrays = {(0, 0): np.full((4, 10), 0.1, np.float32)}
    teacher = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4))
    run = training(squared, teacher=teacher, projections=arrays)
    plugin.distill("torch", build("cnn", 1, 8), plan(features(("fc", "1"), projection=(4, 10)), teacher="x"), run)
    (weight,) = made
    assert not np.array_equal(weight.detach().numpy(), arrays[0, 0])


def test_hooks_go_after_an_error_too(build):
    student, teacher = build("cnn", 1, 8), build("cnn", 1, 8)

    def failing(*_):
        raise RuntimeError("on purpose")

    run = training(failing, teacher=teacher)
    with pytest.raises(RuntimeError, match="on purpose"):
        plugin.distill("torch", student, plan(features(("relu1", "relu1")), teacher="x"), run)
    assert hooks_of(student) == hooks_of(teacher) == 0


def test_a_tap_that_is_no_layer_is_named_with_the_nearest(build):
    run = training(squared, teacher=build("cnn", 1, 8))
    with pytest.raises(PlanError, match="relu"):
        plugin.distill("torch", build("cnn", 1, 8), plan(features(("rellu1", "relu1")), teacher="x"), run)


def test_outputs_that_come_with_the_batches_are_a_teacher(build):
    teacher = build("resnet20", 1, 8)
    terms = plan(SOFT, HARD, teacher="zoo")
    functions = (losses.kl, losses.hard_label)
    shown = plugin.distill("torch", build("cnn", 1, 8), terms, training(*functions, teacher=teacher)).model
    told = training(*functions, taught=lambda images: plugin.evaluate("torch", teacher, images))
    given = plugin.distill("torch", build("cnn", 1, 8), terms, told).model
    assert all(np.array_equal(values, state(given)[name]) for name, values in state(shown).items())


def test_soft_labels_in_half_precision_teach_the_same_up_to_it(build):
    teacher = build("resnet20", 1, 8)
    exact = training(losses.kl, taught=lambda images: plugin.evaluate("torch", teacher, images))
    half = training(losses.kl, taught=lambda images: plugin.evaluate("torch", teacher, images).astype(np.float16))
    states = [
        state(plugin.distill("torch", build("cnn", 1, 8), plan(SOFT, teacher="x"), run).model) for run in (exact, half)
    ]
    start = state(build("cnn", 1, 8))
    for name, values in states[0].items():
        assert not np.array_equal(values, start[name])
        np.testing.assert_allclose(states[1][name], values, rtol=0, atol=2e-3 * np.abs(values - start[name]).max())


def test_the_weights_of_terms_follow_their_schedule(build):
    schedule = LossSchedule(kind="linear", start=1.0, end=0.0)
    terms = (SOFT.model_copy(update={"schedule": schedule}), HARD)
    asked = []
    weights = loss_weights(terms, 2, 4)
    run = training(
        losses.kl, losses.hard_label, teacher=build("resnet20", 1, 8),
        loss_weights=lambda step: asked.append(weights(step)) or weights(step),
    )  # fmt: skip
    plugin.distill("torch", build("cnn", 1, 8), plan(*terms, epochs=2, teacher="zoo"), run)
    assert [one[0] for one in asked] == pytest.approx([0.7 * (1 - step / 7) for step in range(8)])
    assert {one[1] for one in asked} == {0.3}


def test_a_weight_of_zero_is_as_if_the_term_were_not_there(build):
    teacher = build("resnet20", 1, 8)
    run = training(losses.kl, losses.hard_label, teacher=teacher, loss_weights=lambda step: (0.0, 0.3))
    both = plugin.distill("torch", build("cnn", 1, 8), plan(SOFT, HARD, teacher="zoo"), run).model
    alone = plugin.distill("torch", build("cnn", 1, 8), plan(HARD), training(losses.hard_label)).model
    assert all(np.allclose(values, state(alone)[name], atol=1e-6) for name, values in state(both).items())


def test_the_average_of_the_students_weights_is_exact(build, monkeypatch):
    from paredown_torch import teaching

    kept, seen = 0.9, []

    class Watched(teaching.Average):
        def after_step(self, batch, student, step):
            before = state(self.model)
            super().after_step(batch, student, step)
            seen.append((before, state(self._student), state(self.model), self.model.training))

    monkeypatch.setattr(teaching, "Average", Watched)
    run = training(losses.kl, losses.hard_label, way="self", average=kept)
    plugin.distill("torch", build("cnn", 1, 8), plan(SOFT, HARD, way="self"), run)
    assert len(seen) == 4
    for before, student, after, is_training in seen:
        assert not is_training
        for name, values in after.items():
            buffer = name.endswith(("running_mean", "running_var"))
            moved = before[name] * np.float32(kept) + student[name] * np.float32(1 - kept)
            np.testing.assert_array_equal(values, student[name] if buffer else moved, err_msg=name)


def test_own_layers_teach_without_learning(build):
    model = build("cnn", 1, 8)
    before = state(model)
    weights = {"conv3.weight", "fc.weight", "fc.bias", "bn3.weight", "bn3.bias"}
    run = training(of_means, way="self")
    after = state(plugin.distill("torch", model, plan(features(("relu1", "relu3")), way="self"), run).model)
    assert not np.array_equal(after["conv1.weight"], before["conv1.weight"])
    assert all(np.array_equal(after[name], before[name]) for name in weights)
    assert hooks_of(model) == 0


def test_a_peer_learns_from_the_student_as_the_student_from_it(build):
    first, second = build("cnn", 1, 8), build("cnn", 1, 8)
    with torch.no_grad():
        second.fc.weight.neg_()
    start = state(second)
    terms = (SOFT, HARD, features(("relu2", "relu2")))
    run = training(losses.kl, losses.hard_label, squared, way="online", peer=second)
    outcome = plugin.distill("torch", first, plan(*terms, epochs=2, way="online"), run)
    assert outcome.model is first
    assert len(outcome.evidence["peer_loss"]) == len(outcome.evidence["loss"]) == 2
    assert not np.array_equal(state(second)["fc.weight"], start["fc.weight"])
    assert hooks_of(first) == hooks_of(second) == 0


def test_equal_peers_stay_equal(build):
    # Each learns from the other by the same terms at the same time: neither goes first.
    first, second = build("cnn", 1, 8), build("cnn", 1, 8)
    run = training(losses.kl, losses.hard_label, way="online", peer=second)
    outcome = plugin.distill("torch", first, plan(SOFT, HARD, epochs=2, way="online"), run)
    assert outcome.evidence["loss"] == outcome.evidence["peer_loss"]
    assert all(np.array_equal(values, state(second)[name]) for name, values in state(first).items())


def test_a_peer_that_diverges_is_named(build):
    second = build("cnn", 1, 8)
    with torch.no_grad():
        second.fc.bias.fill_(float("nan"))
    run = training(losses.hard_label, way="online", peer=second)
    with pytest.raises(ParedownError, match="epoch 1, step 1, the second student"):
        plugin.distill("torch", build("cnn", 1, 8), plan(HARD, way="online"), run)


def test_a_training_in_float64_comes_back_in_float32(build):
    student, teacher = build("cnn", 1, 8), build("resnet20", 1, 8)
    seen = []

    def noting(own, taught, labels, options):
        seen.extend([own.dtype, taught.dtype])
        return losses.kl(own, taught, labels, options)

    run = training(noting, teacher=teacher, dtype="float64")
    plugin.distill("torch", student, plan(SOFT, teacher="x"), run)
    assert set(seen) == {torch.float64}
    assert next(student.parameters()).dtype == next(teacher.parameters()).dtype == torch.float32
