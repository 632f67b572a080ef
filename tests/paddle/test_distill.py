"""Whatever teaches, the loop keeps its word: hooks go, teachers stay, projections learn, averages are right."""

from __future__ import annotations

import numpy as np
import pytest
from lessons import HARD, SOFT, features, of_means, plan, squared, training

from paredown.algorithms.loss_schedules import loss_weights
from paredown.contracts import MeasureRequest
from paredown.errors import ParedownError, PlanError
from paredown.spec.losses import LossSchedule


@pytest.fixture
def losses(hooks):
    from paredown_paddle import losses

    return losses


@pytest.fixture
def state(hooks):
    return lambda model: hooks.save(backend="paddle", model=model)


@pytest.fixture
def distill(hooks):
    return lambda model, plan, run: hooks.distill(backend="paddle", model=model, plan=plan, run=run)


def hooks_of(model):
    layers = model.sublayers(include_self=True)
    return sum(len(layer._forward_post_hooks) + len(layer._forward_pre_hooks) for layer in layers)


def test_taps_are_the_outputs_of_layers_and_blocks(hooks, build):
    request = MeasureRequest("taps", (1, 8, 8))
    found = hooks.measure(backend="paddle", model=build("resnet20"), request=request).taps
    assert found["layer2"] == found["layer2.2"] == (32, 4, 4)
    assert found["fc"] == (10,)
    assert list(found).index("layer1.0.conv1") < list(found).index("layer1") < list(found).index("layer2")


def test_a_shared_layer_gives_an_output_at_each_call(hooks):
    import paddle

    from paredown_paddle.taps import captured

    class Shared(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.head = paddle.nn.Conv2D(1, 1, 3)

        def forward(self, x):
            return self.head(self.head(x))

    model = Shared()
    found = hooks.measure(backend="paddle", model=model, request=MeasureRequest("taps", (1, 8, 8))).taps
    assert found == {"head": (1, 6, 6), "head:1": (1, 4, 4)}
    images = paddle.randn([2, 1, 8, 8])
    with captured(model, ["head:1"]) as kept:
        for _ in range(2):
            outputs = model(images)
    assert list(kept) == ["head:1"]
    assert np.array_equal(kept["head:1"].numpy(), outputs.numpy())
    assert hooks_of(model) == 0


def test_features_of_a_teacher_move_the_student_and_leave_no_hook(build, distill, state, losses):
    student, teacher = build("cnn"), build("resnet20")
    before = state(teacher)
    terms = (features(("relu2", "layer2"), projection=(32, 64, 1, 1)), HARD)
    arrays = {(0, 0): np.full((32, 64, 1, 1), 0.1, np.float32)}
    run = training(squared, losses.hard_label, teacher=teacher, projections=arrays)
    outcome = distill(student, plan(*terms, epochs=3, teacher="zoo"), run)

    assert outcome.evidence["loss"][-1] < outcome.evidence["loss"][0]
    assert hooks_of(student) == hooks_of(teacher) == 0
    assert all(np.array_equal(values, before[name]) for name, values in state(teacher).items())
    assert np.all(arrays[0, 0] == np.float32(0.1))
    assert state(outcome.model).keys() == state(build("cnn")).keys()


def test_a_projection_learns_and_is_that_of_torchs_layout(build, distill, monkeypatch):
    import paddle

    from paredown_paddle import signals

    made = []

    class Remembering(signals.Projections):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr("paredown_paddle.distill.Projections", Remembering)
    array = np.random.default_rng(0).standard_normal((4, 10)).astype(np.float32)
    teacher = paddle.nn.Sequential(paddle.nn.Flatten(), paddle.nn.Linear(64, 4))
    run = training(squared, teacher=teacher, projections={(0, 0): array})
    features_of = np.random.default_rng(1).standard_normal((3, 10)).astype(np.float32)
    first = signals.Projections({(0, 0): array}, "float32").applied((0, 0), paddle.to_tensor(features_of))
    np.testing.assert_allclose(first.numpy(), features_of @ array.T, rtol=1e-5)
    distill(build("cnn"), plan(features(("fc", "1"), projection=(4, 10)), teacher="x"), run)
    (weight,) = made[-1].parameters()
    assert not np.array_equal(weight.numpy(), array)


def test_hooks_go_after_an_error_too(build, distill):
    student, teacher = build("cnn"), build("cnn")

    def failing(*_):
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        distill(student, plan(features(("relu1", "relu1")), teacher="x"), training(failing, teacher=teacher))
    assert hooks_of(student) == hooks_of(teacher) == 0


def test_a_tap_that_is_no_layer_is_named_with_the_nearest(build, distill):
    run = training(squared, teacher=build("cnn"))
    with pytest.raises(PlanError, match="relu"):
        distill(build("cnn"), plan(features(("rellu1", "relu1")), teacher="x"), run)


def test_outputs_that_come_with_the_batches_are_a_teacher(hooks, build, distill, state, losses):
    teacher = build("resnet20")
    terms = plan(SOFT, HARD, teacher="zoo")
    functions = (losses.kl, losses.hard_label)
    shown = distill(build("cnn"), terms, training(*functions, teacher=teacher)).model
    told = training(*functions, taught=lambda images: hooks.evaluate(backend="paddle", model=teacher, images=images))
    given = distill(build("cnn"), terms, told).model
    assert all(np.array_equal(values, state(given)[name]) for name, values in state(shown).items())


def test_soft_labels_in_half_precision_teach_the_same_up_to_it(hooks, build, distill, state, losses):
    teacher = build("resnet20")

    def taught(images):
        return hooks.evaluate(backend="paddle", model=teacher, images=images)

    exact = training(losses.kl, taught=taught)
    half = training(losses.kl, taught=lambda images: taught(images).astype(np.float16))
    states = [state(distill(build("cnn"), plan(SOFT, teacher="x"), run).model) for run in (exact, half)]
    start = state(build("cnn"))
    for name, values in states[0].items():
        assert not np.array_equal(values, start[name])
        np.testing.assert_allclose(states[1][name], values, rtol=0, atol=2e-3 * np.abs(values - start[name]).max())


def test_the_weights_of_terms_follow_their_schedule(build, distill, losses):
    schedule = LossSchedule(kind="cosine", start=1.0, end=0.0)
    terms = (SOFT.model_copy(update={"schedule": schedule}), HARD)
    asked = []
    weights = loss_weights(terms, 2, 4)
    run = training(
        losses.kl,
        losses.hard_label,
        teacher=build("resnet20"),
        loss_weights=lambda step: asked.append(weights(step)) or weights(step),
    )
    distill(build("cnn"), plan(*terms, epochs=2, teacher="zoo"), run)
    expected = [0.7 * (1 + np.cos(np.pi * step / 7)) / 2 for step in range(8)]
    assert [one[0] for one in asked] == pytest.approx(expected)


def test_a_weight_of_zero_is_as_if_the_term_were_not_there(build, distill, state, losses):
    run = training(losses.kl, losses.hard_label, teacher=build("resnet20"), loss_weights=lambda step: (0.0, 0.3))
    both = distill(build("cnn"), plan(SOFT, HARD, teacher="zoo"), run).model
    alone = distill(build("cnn"), plan(HARD), training(losses.hard_label)).model
    assert all(np.allclose(values, state(alone)[name], atol=1e-6) for name, values in state(both).items())


def test_the_average_of_the_students_weights_is_right(build, distill, state, losses, monkeypatch):
    from paredown_paddle import teaching

    kept, seen = 0.9, []

    class Watched(teaching.Average):
        def after_step(self, batch, student, step):
            before = state(self.model)
            super().after_step(batch, student, step)
            seen.append((before, state(self._student), state(self.model), self.model.training))

    monkeypatch.setattr(teaching, "Average", Watched)
    run = training(losses.kl, losses.hard_label, way="self", average=kept)
    distill(build("cnn"), plan(SOFT, HARD, way="self"), run)
    assert len(seen) == 4
    for before, student, after, is_training in seen:
        assert not is_training
        for name, values in after.items():
            if name.endswith(("running_mean", "running_var")):
                np.testing.assert_array_equal(values, student[name], err_msg=name)
            else:  # Paddle multiplies with a float32 number or a float64 one, as the kernel likes
                moved = before[name] * np.float64(kept) + student[name] * np.float64(1 - kept)
                np.testing.assert_allclose(values, moved, rtol=1e-6, atol=1e-8, err_msg=name)


def test_own_layers_teach_without_learning(build, distill, state):
    model = build("cnn")
    before = state(model)
    after = state(distill(model, plan(features(("relu1", "relu3")), way="self"), training(of_means, way="self")).model)
    assert not np.array_equal(after["conv1.weight"], before["conv1.weight"])
    taught_by = {"conv3.weight", "fc.weight", "fc.bias", "bn3.weight", "bn3.bias"}
    assert all(np.array_equal(after[name], before[name]) for name in taught_by)
    assert hooks_of(model) == 0


def test_a_peer_learns_from_the_student_as_the_student_from_it(build, distill, state, hooks, losses):
    first, second = build("cnn"), build("cnn")
    start = state(second)
    start["fc.weight"] = -start["fc.weight"]
    hooks.restore(backend="paddle", model=second, state=start)
    terms = (SOFT, HARD, features(("relu2", "relu2")))
    run = training(losses.kl, losses.hard_label, squared, way="online", peer=second)
    outcome = distill(first, plan(*terms, epochs=2, way="online"), run)
    assert outcome.model is first
    assert len(outcome.evidence["peer_loss"]) == len(outcome.evidence["loss"]) == 2
    assert not np.array_equal(state(second)["fc.weight"], start["fc.weight"])
    assert hooks_of(first) == hooks_of(second) == 0


def test_equal_peers_stay_equal(build, distill, state, losses):
    # Each learns from the other by the same terms at the same time: neither goes first.
    first, second = build("cnn"), build("cnn")
    run = training(losses.kl, losses.hard_label, way="online", peer=second)
    outcome = distill(first, plan(SOFT, HARD, epochs=2, way="online"), run)
    assert outcome.evidence["loss"] == outcome.evidence["peer_loss"]
    assert all(np.array_equal(values, state(second)[name]) for name, values in state(first).items())


def test_a_peer_that_diverges_is_named(build, distill, state, hooks, losses):
    second = build("cnn")
    broken = state(second)
    broken["fc.bias"][:] = np.nan
    hooks.restore(backend="paddle", model=second, state=broken)
    run = training(losses.hard_label, way="online", peer=second)
    with pytest.raises(ParedownError, match="epoch 1, step 1, the second student"):
        distill(build("cnn"), plan(HARD, way="online"), run)


def test_a_training_in_float64_comes_back_in_float32(build, distill, losses):
    student, teacher = build("cnn"), build("resnet20")
    seen = []

    def noting(own, taught, labels, options):
        seen.extend([str(own.dtype), str(taught.dtype)])
        return losses.kl(own, taught, labels, options)

    distill(student, plan(SOFT, teacher="x"), training(noting, teacher=teacher, dtype="float64"))
    assert set(seen) == {"paddle.float64"}
    assert str(student.parameters()[0].dtype) == str(teacher.parameters()[0].dtype) == "paddle.float32"
