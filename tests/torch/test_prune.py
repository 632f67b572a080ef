"""Surgery: shapes shrink, and the smaller network computes what the masked one does."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from paredown.algorithms.surgery import cut_state
from paredown.contracts import MeasureRequest
from paredown.errors import PlanError
from paredown.plan import Cut, Group, Member, PrunePlan
from paredown_torch import plugin


def masked(model, plan):
    """A copy in which the plan's channels are zero at every layer that writes them."""
    copied = copy.deepcopy(model)
    state = copied.state_dict()
    for cut in plan.cuts:
        for member in cut.group.members:
            if member.axis == 0 and not member.parameter.endswith("running_var"):
                channels = member.channels or range(cut.group.size)
                state[member.parameter][[p for p, c in enumerate(channels) if c in set(cut.remove)]] = 0
    return copied


NETWORKS = ["resnet20", "mobilenet_v2", "mobilenet_v3_small", "concatenation", "blocks"]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_cut_network_computes_what_the_masked_one_does(name, build, images, groups_of, random_plan):
    model, batch = build(name), images(2)
    plan = random_plan(groups_of(model))
    expected = plugin.evaluate("torch", masked(model, plan), batch)
    before = plugin.save("torch", model)

    outcome = plugin.prune("torch", model, plan)

    found = plugin.evaluate("torch", outcome.model, batch)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    after, wanted = plugin.save("torch", outcome.model), cut_state(before, plan.cuts)
    assert all(np.array_equal(after[key], wanted[key]) for key in wanted)
    assert outcome.evidence["cut_by"] == ("paredown" if name == "blocks" else "torch-pruning")


@pytest.mark.parametrize("name", ["resnet20", "mobilenet_v2"])
def test_a_cut_network_can_be_trained_and_cut_again(name, build, images, groups_of, random_plan):
    model, batch = build(name), images(4)
    for _ in range(2):
        size = sum(values.size for values in plugin.save("torch", model).values())
        plan = random_plan(groups_of(model))
        expected = plugin.evaluate("torch", masked(model, plan), batch)
        model = plugin.prune("torch", model, plan).model
        found = plugin.evaluate("torch", model, batch)
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
        assert sum(values.size for values in plugin.save("torch", model).values()) < 0.6 * size
    model.train()(torch.from_numpy(batch)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_plan_is_replayed_on_a_fresh_network(build, groups_of, random_plan):
    first, second = build("resnet20"), build("resnet20")
    plan = random_plan(groups_of(first))
    pruned = plugin.save("torch", plugin.prune("torch", first, plan).model)

    replayed = plugin.save("torch", plugin.prune("torch", second, plan).model)

    assert all(np.array_equal(pruned[name], replayed[name]) for name in pruned)


def test_a_plan_that_torch_pruning_cannot_follow_is_cut_by_our_own_slicing(build, images):
    model = build("shufflenet_v2_x1_0")
    names = ("weight", "bias", "running_mean", "running_var")
    members = (
        Member(parameter="stage2.0.branch2.0.weight", axis=0),
        *(
            Member(parameter=f"stage2.0.branch2.1.{n}", axis=0, role="buffer" if "_" in n else "parameter")
            for n in names
        ),
        Member(parameter="stage2.0.branch2.3.weight", axis=0),
        *(
            Member(parameter=f"stage2.0.branch2.4.{n}", axis=0, role="buffer" if "_" in n else "parameter")
            for n in names
        ),
        Member(parameter="stage2.0.branch2.5.weight", axis=1),
    )
    group = Group(name="stage2.0.branch2.0.weight", size=58, members=members)
    plan = PrunePlan(
        input_shape=(3, 32, 32),
        criterion={},
        scope="local",
        ratio=0.5,
        cuts=(Cut(group=group, remove=tuple(range(0, 58, 2))),),
    )
    expected = plugin.evaluate("torch", masked(model, plan), images(2))

    outcome = plugin.prune("torch", model, plan)

    assert outcome.evidence["cut_by"] == "paredown"
    found = plugin.evaluate("torch", outcome.model, images(2))
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    depthwise = outcome.model.get_submodule("stage2.0.branch2.3")
    assert (depthwise.groups, depthwise.in_channels, depthwise.out_channels) == (29, 29, 29)


def test_the_blocks_of_a_flattened_map_go_together(groups_of, random_plan, images):
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 6), nn.ReLU(), nn.Linear(6, 2))
    batch = images(2, size=8)
    plan = random_plan(groups_of(model, size=8), shape=(3, 8, 8))
    expected = plugin.evaluate("torch", masked(model, plan), batch)
    outcome = plugin.prune("torch", model, plan)

    assert outcome.evidence["cut_by"] == "torch-pruning"
    assert np.allclose(plugin.evaluate("torch", outcome.model, batch), expected, atol=1e-6)


def test_frozen_layers_stay_frozen(build, groups_of, random_plan):
    model = build("cnn")
    model.conv2.requires_grad_(False)
    plugin.prune("torch", model, random_plan(groups_of(model)))

    assert not model.conv2.weight.requires_grad
    assert model.conv1.weight.requires_grad


def test_a_plan_of_another_network_is_refused_and_changes_nothing(build, groups_of, random_plan):
    plan = random_plan(groups_of(build("resnet20")))
    model = build("cnn")
    before = plugin.save("torch", model)

    with pytest.raises(PlanError, match=r"layer1\.0"):
        plugin.prune("torch", model, plan)
    after = plugin.save("torch", model)
    assert all(np.array_equal(after[name], before[name]) for name in before)


def test_a_plan_is_not_replayed_twice(build, groups_of, random_plan):
    model = build("cnn")
    plan = random_plan(groups_of(model))
    plugin.prune("torch", model, plan)

    with pytest.raises(PlanError, match="32 long"):
        plugin.prune("torch", model, plan)


def test_groups_are_measured_without_touching_the_network(build):
    model = build("cnn").train()
    before = plugin.save("torch", model)
    plugin.measure("torch", model, MeasureRequest("groups", (3, 32, 32)))

    assert model.training
    assert all(np.array_equal(values, before[name]) for name, values in plugin.save("torch", model).items())
