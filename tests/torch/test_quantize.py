"""The simulation of a quantization plan is NumPy's float32 arithmetic, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from paredown.errors import PlanError
from paredown.plan import QuantizationPoint, QuantizedTensor, QuantPlan
from paredown_torch import plugin

ACTIVATION = QuantizedTensor(bits=8, qmin=0, qmax=255, scale=(0.0173,), zero_point=(121,))


def numpy_fake_quantize(values, tensor):
    shape = [-1 if axis == tensor.axis else 1 for axis in range(values.ndim)]
    scale = np.array(tensor.scale, np.float32).reshape(shape)
    zero_point = np.array(tensor.zero_point, np.float32).reshape(shape)
    integers = np.clip(np.rint(values / scale) + zero_point, tensor.qmin, tensor.qmax).astype(np.float32)
    return (integers - zero_point) * scale


def plan_of(*points):
    return QuantPlan(target="portable", points=points)


def point(layer, port, tensor=ACTIVATION, **more):
    return QuantizationPoint(layer=layer, port=port, tensor=tensor, **more)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_weights_become_what_their_integers_stand_for(axis):
    model = nn.Sequential(nn.Conv2d(6, 5, 3))
    weight = model[0].weight.detach().numpy().copy()
    count = 1 if axis is None else weight.shape[axis]
    tensor = QuantizedTensor(
        bits=8,
        qmin=-64,
        qmax=63,
        scale=tuple(0.001 + 0.0007 * i for i in range(count)),
        zero_point=(0,) * count,
        axis=axis,
    )
    outcome = plugin.quantize("torch", model, plan_of(point("0", "weight", tensor)))

    assert outcome.evidence == {"points": 1}
    assert model[0].weight.detach().numpy().tobytes() == numpy_fake_quantize(weight, tensor).tobytes()


def test_inputs_and_outputs_pass_through_fake_quantization(images):
    model = nn.Sequential(nn.Identity(), nn.Identity())
    batch = images(3) * 2
    batch[0, 0, 0, :4] = np.array([0.5, 1.5, 2.5, -0.5], np.float32) * np.float32(0.0173)
    coarse = QuantizedTensor(bits=4, qmin=0, qmax=15, scale=(0.3,), zero_point=(8,))
    plugin.quantize("torch", model, plan_of(point("0", "input"), point("1", "output", coarse)))

    expected = numpy_fake_quantize(numpy_fake_quantize(batch, ACTIVATION), coarse)
    assert plugin.evaluate("torch", model, batch).tobytes() == expected.tobytes()


def test_the_calls_of_a_layer_are_counted_anew_in_each_forward_pass(build, images):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.same = nn.Identity()

        def forward(self, x):
            return torch.cat([self.same(x), self.same(x)], dim=1)

    model, batch = Twice(), images(2)
    plugin.quantize("torch", model, plan_of(point("same", "output", index=1)))

    for _ in range(2):
        found = plugin.evaluate("torch", model, batch)
        assert np.array_equal(found[:, :3], batch)
        assert np.array_equal(found[:, 3:], numpy_fake_quantize(batch, ACTIVATION))


def test_points_of_the_graph_are_left_to_the_deployed_file(build, images):
    model = build("cnn")
    expected = plugin.evaluate("torch", model, images(2))
    outcome = plugin.quantize("torch", model, plan_of(point("/add/output", "output", owner="graph")))

    assert outcome.evidence == {"points": 0}
    assert np.array_equal(plugin.evaluate("torch", model, images(2)), expected)


def test_a_layer_that_does_not_exist_is_an_error_with_the_nearest_name(build):
    with pytest.raises(PlanError) as raised:
        plugin.quantize("torch", build("cnn"), plan_of(point("conv9", "output")))

    assert raised.value.problems[0].where == "conv9"
    assert "the nearest layer here is conv" in str(raised.value)


def test_scales_that_do_not_fit_are_an_error_and_change_nothing(build):
    model = build("cnn")
    before = plugin.save("torch", model)
    good = QuantizedTensor(bits=8, qmin=-64, qmax=63, scale=(0.1,), zero_point=(0,))
    bad = QuantizedTensor(bits=8, qmin=-64, qmax=63, scale=(0.1,) * 3, zero_point=(0,) * 3, axis=0)

    with pytest.raises(PlanError, match="do not fit"):
        plugin.quantize("torch", model, plan_of(point("conv1", "weight", good), point("conv2", "weight", bad)))
    assert np.array_equal(plugin.save("torch", model)["conv1.weight"], before["conv1.weight"])
