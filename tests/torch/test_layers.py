"""Measuring layers: the order of execution, and where each layer's input comes from."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from paredown.algorithms.counting import count_macs
from paredown.algorithms.fold import find_folds
from paredown.contracts import MeasureRequest
from paredown.errors import ModelError
from paredown_torch import plugin


def measured(model, shape=(3, 8, 8)):
    return plugin.measure("torch", model, MeasureRequest("layers", shape)).layers


def test_layers_come_in_order_of_execution_with_their_shapes(build, layers_of):
    layers = layers_of(build("cnn"), size=8)

    assert [layer.name for layer in layers] == [
        *("conv1", "bn1", "relu1", "pool1", "conv2", "bn2", "relu2", "pool2", "conv3", "bn3", "relu3"),
        *("avgpool", "flatten", "fc"),
    ]
    assert (layers[4].input_shape, layers[4].output_shape, layers[4].kind) == ((32, 4, 4), (64, 4, 4), "conv")
    assert [layer.source for layer in layers[:4]] == [None, "conv1", "bn1", "relu1"]
    assert [layer.name for layer in layers if layer.is_output] == ["fc"]
    assert layers[1].eps == 1e-5


def test_macs_of_resnet20_are_what_its_paper_counts(build, layers_of):
    assert count_macs(layers_of(build("resnet20"))) == pytest.approx(40.8e6, rel=0.02)


def test_every_batch_norm_of_resnet20_and_resnet18_can_be_folded(build, layers_of):
    assert len(find_folds(layers_of(build("resnet20")))) == 21
    assert len(find_folds(layers_of(build("resnet18")))) == 20


class InPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.same = nn.Identity()
        self.act = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(3, 3, 1)
        self.third = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        out = self.act(self.same(self.conv(x)))
        out = self.second(out)
        out += x
        return self.third(out)


def test_a_source_is_the_layer_that_gave_the_value_not_the_one_that_made_the_tensor():
    sources = {layer.name: layer.source for layer in measured(InPlace())}

    assert sources["act"] == "conv"  # an identity only passes on
    assert sources["second"] == "act"  # in place: the same tensor, another value
    assert sources["third"] is None  # `+=` wrote into it since


def test_measuring_leaves_the_network_as_it_was(build):
    model = build("cnn").train()
    model.bn1.eval()
    measured(model)

    assert model.training
    assert not model.bn1.training
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())


def test_images_of_another_shape_are_an_error_that_says_so(build):
    with pytest.raises(ModelError) as raised:
        measured(build("cnn"), (1, 8, 8))

    assert "set model.in_channels" in str(raised.value)


def test_a_network_may_return_several_outputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)

        def forward(self, x: torch.Tensor):
            return {"a": self.a(x), "b": [self.b(x), self.b(x)]}

    assert [layer.is_output for layer in measured(Two())] == [True, True, True]
