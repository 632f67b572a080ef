"""Groups of coupled channels."""

from __future__ import annotations

import pytest
from torch import nn

from paredown.contracts import MeasureRequest
from paredown_torch import plugin


def axes(group):
    return {(member.parameter, member.axis) for member in group.members}


def test_the_residual_stream_of_resnet20_couples_all_that_write_to_it(build, groups_of):
    found = {group.name: group for group in groups_of(build("resnet20")).groups}
    stream = axes(found["conv1.weight"])

    assert found["conv1.weight"].size == 16
    writers = {"conv1", "layer1.0.conv2", "layer1.1.conv2", "layer1.2.conv2"}
    norms = {"bn1", "layer1.0.bn2", "layer1.1.bn2", "layer1.2.bn2"}
    readers = {"layer1.0.conv1", "layer1.1.conv1", "layer1.2.conv1", "layer2.0.conv1", "layer2.0.downsample.0"}
    arrays = ("weight", "bias", "running_mean", "running_var")
    assert stream == (
        {(f"{name}.weight", 0) for name in writers}
        | {(f"{name}.{array}", 0) for name in norms for array in arrays}
        | {(f"{name}.weight", 1) for name in readers}
    )
    assert all(member.channels is None for member in found["conv1.weight"].members)


def test_resnet20_has_a_group_for_each_stage_and_each_block(build, groups_of):
    found = groups_of(build("resnet20"))

    assert sorted(group.size for group in found.groups) == [16] * 4 + [32] * 4 + [64] * 4
    assert found.left_whole == {"fc": "its outputs are the network's"}


@pytest.mark.parametrize(("name", "count"), [("resnet18", 12), ("mobilenet_v2", 25), ("mobilenet_v3_small", 27)])
def test_networks_of_torchvision_have_the_groups_that_the_facts_count(name, count, build, groups_of):
    # mobilenet_v3_small: 26 of convolutions, as in the facts, and one between its two Linear layers.
    assert len(groups_of(build(name), size=64).groups) == count


def test_a_depthwise_convolution_goes_along_with_its_channels(build, groups_of):
    found = {group.name: axes(group) for group in groups_of(build("mobilenet_v2")).groups}
    expanded = found["features.2.conv.0.0.weight"]

    assert ("features.2.conv.1.0.weight", 0) in expanded
    assert ("features.2.conv.2.weight", 1) in expanded


def test_a_flattened_map_gives_each_channel_a_block_of_positions():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(16, 5), nn.Linear(5, 2))
    found = plugin.measure("torch", model, MeasureRequest("groups", (3, 2, 2))).groups
    members = {(m.parameter, m.axis): m.channels for m in found[0].members}

    assert members == {("0.weight", 0): None, ("0.bias", 0): None, ("3.weight", 1): tuple(p // 4 for p in range(16))}


def test_a_concatenation_gives_each_source_its_part_of_the_axis(build, groups_of):
    found = {group.name: group for group in groups_of(build("concatenation")).groups}
    left, right = ({m.parameter: m.channels for m in found[f"{side}.weight"].members} for side in ("left", "right"))

    assert left["bn.weight"] == left["head.weight"] == (*range(8), *[-1] * 6)
    assert right["bn.running_var"] == right["head.weight"] == (*[-1] * 8, *range(6))


def test_a_convolution_in_blocks_loses_as_much_from_each(build, groups_of):
    found = {group.name: group for group in groups_of(build("blocks")).groups}
    outputs, inputs = found["blocks.weight"], found["before.weight"]

    assert (outputs.size, outputs.blocks) == (24, 4)
    assert (inputs.size, inputs.blocks) == (4, 1)
    channels = {(m.parameter, m.axis): m.channels for m in inputs.members}
    assert channels["before.weight", 0] == tuple(p % 4 for p in range(16))
    assert channels["blocks.weight", 1] is None


def test_a_network_that_cannot_be_traced_is_left_whole_with_the_reason(build):
    model = build("shufflenet_v2_x1_0")
    found = plugin.measure("torch", model, MeasureRequest("groups", (3, 32, 32)))

    assert not found.groups
    assert set(found.left_whole) == {
        name for name, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)
    }
    assert "torch-pruning cannot trace" in found.left_whole["fc"]


def test_layers_that_are_frozen_are_found_and_stay_frozen(build, groups_of):
    model = build("cnn").requires_grad_(False)

    assert len(groups_of(model).groups) == 3
    assert not any(parameter.requires_grad for parameter in model.parameters())
