"""Gradients and activations: what torch's own backward pass and forward pass give, and nothing is left behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from paredown.contracts import MeasureRequest
from paredown.errors import ModelError
from paredown_torch import losses, plugin

AXES = (("conv2.weight", 0), ("conv2.weight", 1), ("bn2.weight", 0), ("fc.bias", 0))


def request(what, batches, **more):
    return MeasureRequest(what, (1, 8, 8), batches, **more)


@pytest.fixture
def batches(images):
    labels = np.random.default_rng(4).integers(0, 10, 10)
    batch = images(10, 1, 8)
    return [(batch[:6], labels[:6]), (batch[6:], labels[6:])]


def test_gradients_are_those_of_a_backward_pass_by_hand(build, batches):
    model = build("cnn", 1, 8)
    found = plugin.measure("torch", model, request("gradients", batches, loss=losses.hard_label, axes=AXES)).gradients

    model.double()
    for row, (images, labels) in enumerate(batches):
        model.zero_grad()
        nn.functional.cross_entropy(model(torch.from_numpy(images).double()), torch.from_numpy(labels)).backward()
        for name, axis in AXES:
            parameter = model.get_parameter(name)
            product = (parameter.detach() * parameter.grad).numpy()
            others = tuple(other for other in range(product.ndim) if other != axis)
            assert found[name, axis].dtype == np.float64
            assert np.allclose(found[name, axis][row], product.sum(axis=others), rtol=1e-9, atol=1e-15)


def test_frozen_layers_are_measured_and_everything_is_left_as_it_was(build, batches):
    model = build("cnn", 1, 8).train()
    model.conv2.requires_grad_(False)
    model.fc.bias.grad = torch.ones(10)
    before = plugin.save("torch", model)
    found = plugin.measure("torch", model, request("gradients", batches, loss=losses.hard_label, axes=AXES)).gradients
    plugin.measure("torch", model, request("activations", batches, layer_names=("conv2", "fc")))

    assert np.abs(found["conv2.weight", 0]).max() > 0
    assert not model.conv2.weight.requires_grad
    assert torch.equal(model.fc.bias.grad, torch.ones(10))
    assert all(parameter.grad is None for name, parameter in model.named_parameters() if name != "fc.bias")
    assert all(module.training for module in model.modules())
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(np.array_equal(values, before[name]) for name, values in plugin.save("torch", model).items())


def test_activity_counts_all_calls_of_a_layer(images):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.same = nn.Linear(8, 8, bias=False)

        def forward(self, x):
            return self.same(torch.relu(self.same(x)))

    model, batch = Twice(), images(4, 1, 8)
    labels = np.zeros(4, np.int64)
    found = plugin.measure("torch", model, request("activations", [(batch, labels)], layer_names=("same",)))

    hidden = np.maximum(batch.astype(np.float64) @ model.same.weight.detach().numpy().T, 0)
    values = np.stack([batch, hidden]).reshape(-1, 8)
    assert np.allclose(found.activations["same"].mean_absolute, np.abs(values).mean(axis=0), rtol=1e-5)
    assert np.allclose(found.activations["same"].zeros, (values == 0).mean(axis=0))


def test_what_is_not_there_is_named(build, batches):
    model = build("cnn", 1, 8)
    with pytest.raises(ModelError, match="conv9"):
        plugin.measure("torch", model, request("activations", batches, layer_names=("conv9",)))
    for axis in (("conv9.weight", 0), ("fc.bias", 1)):
        with pytest.raises(ModelError, match=axis[0].replace(".", r"\.")):
            plugin.measure("torch", model, request("gradients", batches, loss=losses.hard_label, axes=(axis,)))
