"""A quantization plan simulated: NumPy's arithmetic, exactly."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from paredown.errors import PlanError
from paredown.plan import QuantizationPoint, QuantizedTensor, QuantPlan

IMAGES = np.random.default_rng(3).normal(size=(4, 3)).astype(np.float32) * 3


def plan_of(*points):
    return QuantPlan(target="portable", points=points)


def activation(scale=0.037, zero=113):
    return QuantizedTensor(bits=8, qmin=0, qmax=255, scale=(scale,), zero_point=(zero,))


def simulated(values, tensor):
    scale, zero = np.float32(tensor.scale[0]), np.float32(tensor.zero_point[0])
    return (np.clip(np.rint(values / scale) + zero, tensor.qmin, tensor.qmax) - zero) * scale


@pytest.fixture
def identity(hooks):
    import paddle

    return paddle.nn.Sequential(paddle.nn.Identity())


@pytest.mark.parametrize("port", ["input", "output"])
def test_activations_are_numpys_to_the_last_bit(hooks, identity, port):
    images = np.random.default_rng(0).normal(size=(1000, 100)).astype(np.float32) * 3
    images[0] = np.arange(100) * np.float32(0.5)  # halves, which round to even
    for scale in (0.037, 1.0):
        tensor = activation(scale)
        plan = plan_of(QuantizationPoint(layer="0", port=port, tensor=tensor))
        outcome = hooks.quantize(backend="paddle", model=copy.deepcopy(identity), plan=plan)
        found = hooks.evaluate(backend="paddle", model=outcome.model, images=images)
        assert np.array_equal(found, simulated(images, tensor))
        assert outcome.evidence == {"points": 1}


def test_weights_are_replaced_by_what_their_integers_stand_for(hooks, build):
    model = build("cnn")
    before = hooks.save(backend="paddle", model=model)["fc.weight"]
    scale = tuple(float(value) for value in np.abs(before).max(axis=1) / 63)
    tensor = QuantizedTensor(bits=8, qmin=-64, qmax=63, scale=scale, zero_point=(0,) * 10, axis=0)
    outcome = hooks.quantize(
        backend="paddle", model=model, plan=plan_of(QuantizationPoint(layer="fc", port="weight", tensor=tensor))
    )
    column = np.array(scale, np.float32)[:, None]
    wanted = np.clip(np.rint(before / column), -64, 63) * column
    assert np.array_equal(hooks.save(backend="paddle", model=outcome.model)["fc.weight"], wanted)


def test_a_point_is_for_one_call_of_a_layer_that_is_called_twice(hooks):
    import paddle

    class Twice(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.same = paddle.nn.Identity()

        def forward(self, x):
            return paddle.concat([self.same(x), self.same(x)], axis=1)

    tensor = activation()
    plan = plan_of(QuantizationPoint(layer="same", port="output", index=1, tensor=tensor))
    model = hooks.quantize(backend="paddle", model=Twice(), plan=plan).model
    for _ in range(2):
        found = hooks.evaluate(backend="paddle", model=model, images=IMAGES)
        assert np.array_equal(found, np.concatenate([IMAGES, simulated(IMAGES, tensor)], axis=1))


def test_points_of_the_graph_are_skipped(hooks, identity):
    point = QuantizationPoint(layer="some_add", port="output", owner="graph", tensor=activation())
    outcome = hooks.quantize(backend="paddle", model=identity, plan=plan_of(point))
    assert outcome.evidence == {"points": 0}
    assert np.array_equal(hooks.evaluate(backend="paddle", model=outcome.model, images=IMAGES), IMAGES)


def test_a_point_on_a_layer_that_is_not_there_is_refused(hooks, build):
    plan = plan_of(QuantizationPoint(layer="conv4", port="input", tensor=activation()))
    with pytest.raises(PlanError, match="conv4"):
        hooks.quantize(backend="paddle", model=build("cnn"), plan=plan)


def test_scales_of_an_unpruned_network_are_refused(hooks, build):
    tensor = QuantizedTensor(bits=8, qmin=-64, qmax=63, scale=(0.1,) * 12, zero_point=(0,) * 12, axis=0)
    plan = plan_of(QuantizationPoint(layer="fc", port="weight", tensor=tensor))
    with pytest.raises(PlanError, match="number of scales"):
        hooks.quantize(backend="paddle", model=build("cnn"), plan=plan)
