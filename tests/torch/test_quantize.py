"""The simulation of a quantization plan is NumPy's float32 arithmetic, bit for bit."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from paredown.algorithms.qparams import AT_RUN_TIME, activation_qparams, weight_qparams
from paredown.algorithms.quantizing import fake_quantize
from paredown.errors import DataError, PlanError
from paredown.plan import QuantizationPoint, QuantizedTensor, QuantPlan
from paredown.spec.models import QuantizeWeights
from paredown_torch import plugin

ACTIVATION = QuantizedTensor(bits=8, qmin=0, qmax=255, scale=(0.0173,), zero_point=(121,))


def plan_of(*points, **more):
    return QuantPlan(target="portable", points=points, **more)


def point(layer, port, tensor=ACTIVATION, **more):
    return QuantizationPoint(layer=layer, port=port, tensor=tensor, **more)


WEIGHTS = [
    QuantizeWeights(bits=bits, symmetric=symmetric, granularity=granularity, group_size=size)
    for bits, symmetric in [(8, True), (8, False), (4, True), (4, False), (2, True), (1, True)]
    for granularity, size in [("channel", None), ("tensor", None), ("group", 8), ("group", 10**12)]
]


@pytest.mark.parametrize("target", ["portable", "vnni"])
@pytest.mark.parametrize("options", WEIGHTS, ids=str)
@pytest.mark.parametrize("layer", [nn.Conv2d(6, 5, 3), nn.Conv2d(6, 6, 3, groups=6), nn.Linear(13, 4)], ids=str)
def test_weights_of_every_width_become_what_their_integers_stand_for(layer, options, target):
    model = nn.Sequential(copy.deepcopy(layer))
    weight = model[0].weight.detach().numpy().copy()
    tensor = weight_qparams(weight, options, target)
    outcome = plugin.quantize("torch", model, plan_of(point("0", "weight", tensor), mode="weight_only"))

    assert outcome.evidence == {"points": 1}
    assert model[0].weight.detach().numpy().tobytes() == fake_quantize(weight, tensor).tobytes()


def test_weights_may_be_quantized_along_any_axis():
    model = nn.Sequential(nn.Conv2d(6, 5, 3))
    weight = model[0].weight.detach().numpy().copy()
    scale = tuple(0.001 + 0.0007 * i for i in range(6))
    tensor = QuantizedTensor(bits=8, qmin=-64, qmax=64, scale=scale, zero_point=(0,) * 6, axis=1)
    plugin.quantize("torch", model, plan_of(point("0", "weight", tensor)))

    assert model[0].weight.detach().numpy().tobytes() == fake_quantize(weight, tensor).tobytes()


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("bits", [16, 8, 4])
def test_activations_of_every_width_become_what_their_integers_stand_for(bits, symmetric, images):
    tensor = activation_qparams(-1.7, 2.9, bits=bits, symmetric=symmetric)
    model, batch = nn.Sequential(nn.Identity()), images(4) * 2
    # Halfway between two steps: to the even one.
    batch[0, 0, 0, :6] = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.0], np.float32) * np.float32(tensor.scale[0])
    plugin.quantize("torch", model, plan_of(point("0", "input", tensor)))

    assert plugin.evaluate("torch", model, batch).tobytes() == fake_quantize(batch, tensor).tobytes()


@pytest.mark.parametrize("change", [lambda x: x, np.abs, lambda x: -np.abs(x), np.zeros_like], ids=list("abcd"))
def test_a_range_at_run_time_is_that_of_each_tensor(change, images):
    model = nn.Sequential(nn.Identity())
    plugin.quantize("torch", model, plan_of(point("0", "input", AT_RUN_TIME), mode="dynamic"))

    for factor in (1, 7):
        batch = change(images(3)) * np.float32(factor)
        assert plugin.evaluate("torch", model, batch).tobytes() == fake_quantize(batch, AT_RUN_TIME).tobytes()


def test_a_range_at_run_time_that_is_not_finite_names_the_tensor(images):
    model, batch = nn.Sequential(nn.Identity()), images(1)
    batch[0, 0, 0, 0] = np.nan
    plugin.quantize("torch", model, plan_of(point("0", "input", AT_RUN_TIME), mode="dynamic"))

    with pytest.raises(DataError, match="not finite") as raised:
        plugin.evaluate("torch", model, batch)
    assert raised.value.problems[0].where == "input of 0"


def half(values):
    return values.astype(np.float16).astype(np.float32)


def test_fp16_rounds_the_arrays_the_inputs_and_the_outputs_of_layers_with_weights(images):
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    weights, batch = plugin.save("torch", model), images(2)[0, 0, :6, :5]
    first = half(half(batch) @ half(weights["0.weight"]).T + half(weights["0.bias"]))
    outcome = plugin.quantize(
        "torch", model, QuantPlan(target="portable", points=(), mode="fp16", left_float={"2": ""})
    )

    assert outcome.evidence == {"points": 0, "float16": {"layers": 1, "arrays": 2}}
    expected = np.tanh(first) @ weights["2.weight"].T + weights["2.bias"]
    assert np.array_equal(model[0](torch.from_numpy(batch)).detach().numpy(), first)
    assert np.allclose(model(torch.from_numpy(batch)).detach().numpy(), expected, rtol=0, atol=1e-6)
    assert np.array_equal(plugin.save("torch", model)["0.bias"], half(weights["0.bias"]))
    assert np.array_equal(plugin.save("torch", model)["2.weight"], weights["2.weight"])


def test_a_weight_that_does_not_fit_fp16_is_an_error_and_changes_nothing():
    model = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3))
    model[1].weight.data[0, 0] = 1e5
    before = plugin.save("torch", model)

    with pytest.raises(DataError, match="16-bit") as raised:
        plugin.quantize("torch", model, QuantPlan(target="portable", points=(), mode="fp16"))
    assert raised.value.problems[0].where == "1.weight"
    assert np.array_equal(plugin.save("torch", model)["0.weight"], before["0.weight"])


def test_inputs_and_outputs_pass_through_fake_quantization(images):
    model = nn.Sequential(nn.Identity(), nn.Identity())
    batch = images(3) * 2
    batch[0, 0, 0, :4] = np.array([0.5, 1.5, 2.5, -0.5], np.float32) * np.float32(0.0173)
    coarse = QuantizedTensor(bits=4, qmin=0, qmax=15, scale=(0.3,), zero_point=(8,))
    plugin.quantize("torch", model, plan_of(point("0", "input"), point("1", "output", coarse)))

    expected = fake_quantize(fake_quantize(batch, ACTIVATION), coarse)
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
        assert np.array_equal(found[:, 3:], fake_quantize(batch, ACTIVATION))


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


def test_the_weight_of_a_layer_without_one_is_an_error():
    with pytest.raises(PlanError, match="has none"):
        plugin.quantize("torch", nn.Sequential(nn.ReLU()), plan_of(point("0", "weight")))


def test_scales_that_do_not_fit_are_an_error_and_change_nothing(build):
    model = build("cnn")
    before = plugin.save("torch", model)
    good = QuantizedTensor(bits=8, qmin=-64, qmax=63, scale=(0.1,), zero_point=(0,))
    bad = QuantizedTensor(bits=8, qmin=-64, qmax=63, scale=(0.1,) * 3, zero_point=(0,) * 3, axis=0)

    with pytest.raises(PlanError, match="do not fit"):
        plugin.quantize("torch", model, plan_of(point("conv1", "weight", good), point("conv2", "weight", bad)))
    assert np.array_equal(plugin.save("torch", model)["conv1.weight"], before["conv1.weight"])
