"""Weight times gradient, and how active the inputs of layers are: reduced in the framework, nothing left behind."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.contracts import MeasureRequest
from paredown.errors import ModelError, PlanError

SHAPE = (1, 8, 8)


@pytest.fixture
def batches():
    random = np.random.default_rng(3)
    return [(random.normal(size=(4, *SHAPE)).astype(np.float32), random.integers(0, 10, 4)) for _ in range(2)]


def measure(hooks, model, what, batches, **request):
    return hooks.measure(backend="paddle", model=model, request=MeasureRequest(what, SHAPE, batches, **request))


def linear_network():
    from paredown_paddle.framework import paddle

    return paddle.nn.Sequential(paddle.nn.Flatten(), paddle.nn.Linear(64, 10))


def test_weight_times_gradient_of_a_linear_layer_is_the_formula(hooks, batches):
    from paredown_paddle.losses import hard_label

    model, axes = linear_network(), (("1.weight", 0), ("1.weight", 1), ("1.bias", 0))
    found = measure(hooks, model, "gradients", batches, axes=axes, loss=hard_label).gradients
    state = {name: values.astype(np.float64) for name, values in hooks.save(backend="paddle", model=model).items()}
    for index, (images, labels) in enumerate(batches):
        inputs = images.reshape(4, -1).astype(np.float64)
        logits = inputs @ state["1.weight"].T + state["1.bias"]
        odds = np.exp(logits - logits.max(1, keepdims=True))
        slope = (odds / odds.sum(1, keepdims=True) - np.eye(10)[labels]) / 4
        product = state["1.weight"] * (slope.T @ inputs)
        assert found["1.weight", 0][index] == pytest.approx(product.sum(1), abs=1e-6)
        assert found["1.weight", 1][index] == pytest.approx(product.sum(0), abs=1e-6)
        assert found["1.bias", 0][index] == pytest.approx(state["1.bias"] * slope.sum(0), abs=1e-6)
    assert {(values.shape, str(values.dtype)) for values in found.values()} == {
        ((2, 10), "float64"), ((2, 64), "float64"),
    }  # fmt: skip


def test_the_slope_of_a_batch_norm_is_that_of_the_evaluated_network(hooks, build, batches):
    import paddle

    from paredown_paddle.losses import hard_label

    model, step = build("cnn"), 1e-2
    found = measure(hooks, model, "gradients", batches[:1], axes=(("bn2.weight", 0),), loss=hard_label).gradients
    scale = model.bn2.weight.numpy().copy()
    channel = int(np.abs(found["bn2.weight", 0][0]).argmax())
    losses = []
    for change in (step, -step):
        moved = scale.copy()
        moved[channel] += change
        model.bn2.weight.set_value(moved)
        logits = paddle.to_tensor(hooks.evaluate(backend="paddle", model=model, images=batches[0][0]))
        losses.append(float(hard_label(logits, None, paddle.to_tensor(batches[0][1]), {})))
    slope = (losses[0] - losses[1]) / (2 * step)
    assert found["bn2.weight", 0][0][channel] == pytest.approx(scale[channel] * slope, rel=0.03)


def test_frozen_parameters_are_measured_and_stay_frozen(hooks, build, batches):
    from paredown_paddle.losses import hard_label

    model, axes = build("cnn"), (("conv1.weight", 0), ("bn1.weight", 0))
    free = measure(hooks, model, "gradients", batches, axes=axes, loss=hard_label).gradients
    for parameter in model.parameters():
        parameter.stop_gradient = True
    frozen = measure(hooks, model, "gradients", batches, axes=axes, loss=hard_label).gradients
    assert all(np.array_equal(free[axis], frozen[axis]) for axis in axes)
    assert all(parameter.stop_gradient for parameter in model.parameters())


def test_measuring_gradients_leaves_the_network_and_its_gradients_alone(hooks, build, batches):
    import paddle

    from paredown_paddle.losses import hard_label

    model = build("cnn")
    model.train()
    model.bn1.eval()
    paddle.mean(model.fc.weight).backward()
    before, gradient = hooks.save(backend="paddle", model=model), model.fc.weight.grad.numpy()
    measure(hooks, model, "gradients", batches, axes=(("fc.weight", 1),), loss=hard_label)
    after = hooks.save(backend="paddle", model=model)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert np.array_equal(model.fc.weight.grad.numpy(), gradient)
    assert model.conv1.weight.grad is None
    assert (model.training, model.bn1.training) == (True, False)


@pytest.mark.parametrize("axis", [("conv9.weight", 0), ("conv1.weight", 4), ("bn1.running_mean", 0)])
def test_an_axis_that_has_no_gradient_is_refused(hooks, build, batches, axis):
    from paredown_paddle.losses import hard_label

    with pytest.raises(PlanError, match=r"no parameter"):
        measure(hooks, build("cnn"), "gradients", batches, axes=(axis,), loss=hard_label)


def test_activity_is_that_of_all_images_and_positions(hooks, build, batches):
    import paddle

    model = build("cnn")
    names = ("conv1", "conv2", "fc")
    found = measure(hooks, model, "activations", batches, layer_names=names).activations
    images = np.concatenate([images for images, _ in batches])
    with paddle.no_grad():
        features = model.pool1(model.relu1(model.bn1(model.conv1(paddle.to_tensor(images))))).numpy()
    assert list(found) == list(names)
    assert found["conv1"].mean_absolute == pytest.approx(np.abs(images).mean((0, 2, 3)), rel=1e-6)
    assert found["conv2"].mean_absolute == pytest.approx(np.abs(features).mean((0, 2, 3)), rel=1e-5)
    assert found["conv2"].zeros == pytest.approx((features == 0).mean((0, 2, 3)))
    assert found["fc"].mean_absolute.shape == (128,)
    assert found["fc"].zeros.dtype == np.float64
    assert not any(layer._forward_pre_hooks for layer in model.sublayers(include_self=True))


def test_all_calls_of_a_layer_count_together(hooks, batches):
    from paredown_paddle.framework import paddle

    again = paddle.nn.Conv2D(1, 1, 1, bias_attr=False)
    again.weight.set_value(np.full((1, 1, 1, 1), 3, np.float32))
    found = measure(hooks, paddle.nn.Sequential(again, again), "activations", batches, layer_names=("0",))
    images = np.abs(np.concatenate([images for images, _ in batches]))
    assert found.activations["0"].mean_absolute == pytest.approx([2 * images.mean()], rel=1e-6)


@pytest.mark.parametrize(("name", "told"), [("conv9", "does not have"), ("spare", "saw no input")])
def test_a_layer_without_inputs_is_refused_by_name(hooks, build, batches, name, told):
    import paddle

    model = build("cnn")
    model.spare = paddle.nn.Linear(2, 2)
    with pytest.raises(ModelError, match=told):
        measure(hooks, model, "activations", batches, layer_names=(name,))
