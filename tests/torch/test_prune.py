"""Surgery: shapes shrink, and the smaller network computes what the masked one does."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from paredown.algorithms.surgery import cut_state
from paredown.errors import PlanError, UnsupportedError
from paredown.plan import Cut, Group, Member, PrunePlan
from paredown_torch import plugin


def masked(model, plan):
    """A copy in which the plan's channels are zero at every layer that writes them."""
    copied = copy.deepcopy(model)
    state = copied.state_dict()
    for cut in plan.cuts:
        for member in cut.group.members:
            if member.role != "input" and not member.parameter.endswith("running_var"):
                channels = member.channels or range(cut.group.size)
                gone = [p for p, c in enumerate(channels) if c in set(cut.remove)]
                state[member.parameter].movedim(member.axis, 0)[gone] = 0
    return copied


def norm_members(layer):
    roles = {"weight": "scale", "bias": "shift", "running_mean": "buffer", "running_var": "buffer"}
    return tuple(Member(parameter=f"{layer}.{name}", axis=0, role=role) for name, role in roles.items())


def plan_of(group, remove):
    cut = Cut(group=group, remove=tuple(remove))
    return PrunePlan(input_shape=(3, 32, 32), criterion={}, scope="local", amount={"ratio": 0.5}, cuts=(cut,))


NETWORKS = [
    "resnet20",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v2_small",
    "mobilenet_v3_small",
    "concatenation",
    "blocks",
]


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


@pytest.mark.parametrize("name", ["resnet20", "mobilenet_v2_small"])
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
    branch = "stage2.0.branch2"
    members = (
        Member(parameter=f"{branch}.0.weight", axis=0, role="output"),
        *norm_members(f"{branch}.1"),
        Member(parameter=f"{branch}.3.weight", axis=0, role="output"),
        *norm_members(f"{branch}.4"),
        Member(parameter=f"{branch}.5.weight", axis=1, role="input"),
    )
    plan = plan_of(Group(name=f"{branch}.0.weight", size=58, members=members), range(0, 58, 2))
    expected = plugin.evaluate("torch", masked(model, plan), images(2))

    outcome = plugin.prune("torch", model, plan)

    assert outcome.evidence["cut_by"] == "paredown"
    found = plugin.evaluate("torch", outcome.model, images(2))
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    depthwise = outcome.model.get_submodule(f"{branch}.3")
    assert (depthwise.groups, depthwise.in_channels, depthwise.out_channels) == (29, 29, 29)


class Unusual(nn.Module):
    """Layers that hold channels in ways of their own, and parameters of no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 1)
        self.norm = nn.GroupNorm(2, 8)
        self.act = nn.PReLU(8)
        self.scale = nn.Parameter(torch.rand(1, 8, 1, 1))
        self.spread = nn.Conv2d(8, 16, 3, groups=8)
        self.mix = nn.ConvTranspose2d(16, 4, 2)
        self.up = nn.ConvTranspose2d(4, 4, 3, groups=4)
        self.last = nn.Conv2d(4, 5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.first(x))) * self.scale
        return self.last(torch.relu(self.up(torch.relu(self.mix(self.spread(x)))))).mean((2, 3))


def test_layers_of_every_kind_are_sliced(images):
    torch.manual_seed(0)
    model = Unusual().eval()
    twice = tuple(position // 2 for position in range(16))
    first = (
        Member(parameter="scale", axis=1, role="other"),
        Member(parameter="first.weight", axis=0, role="output"),
        Member(parameter="first.bias", axis=0, role="bias"),
        Member(parameter="norm.weight", axis=0, role="scale"),
        Member(parameter="norm.bias", axis=0, role="shift"),
        Member(parameter="act.weight", axis=0, role="other"),
        Member(parameter="spread.weight", axis=0, channels=twice, role="output"),
        Member(parameter="spread.bias", axis=0, channels=twice, role="bias"),
        Member(parameter="mix.weight", axis=0, channels=twice, role="input"),
    )
    second = (
        Member(parameter="mix.weight", axis=1, role="output"),
        Member(parameter="mix.bias", axis=0, role="bias"),
        Member(parameter="up.weight", axis=0, role="input"),
        Member(parameter="up.bias", axis=0, role="bias"),
        Member(parameter="last.weight", axis=1, role="input"),
    )
    plan = plan_of(Group(name="first.weight", size=8, members=first, blocks=2), (0, 1, 2, 3))
    plan = plan.model_copy(
        update={"cuts": (*plan.cuts, Cut(group=Group(name="mix.weight", size=4, members=second), remove=(1,)))}
    )
    expected = plugin.evaluate("torch", masked(model, plan), images(2))
    model.norm.num_groups = 1  # the half of the channels that goes is one of the two groups of the normalisation
    outcome = plugin.prune("torch", model, plan)

    assert outcome.evidence["cuts"] == {"paredown": 2}
    assert np.allclose(plugin.evaluate("torch", model, images(2)), expected, atol=1e-6)
    assert (model.spread.groups, model.spread.in_channels, model.spread.out_channels) == (4, 4, 8)
    assert (model.mix.in_channels, model.mix.out_channels) == (8, 3)
    assert (model.up.groups, model.up.in_channels, model.up.out_channels) == (3, 3, 3)
    assert (model.norm.num_channels, model.act.num_parameters, model.scale.shape[1]) == (4, 4, 4)


def test_the_inside_of_attention_is_refused_and_nothing_changes(images):
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    before = plugin.save("torch", model)
    inside = (
        Member(parameter="linear1.weight", axis=0, role="output"),
        Member(parameter="linear1.bias", axis=0, role="bias"),
        Member(parameter="linear2.weight", axis=1, role="input"),
    )
    stream = (*inside, Member(parameter="self_attn.out_proj.weight", axis=0, channels=(-1,) * 8, role="output"))
    with pytest.raises(UnsupportedError, match="MultiheadAttention"):
        plugin.prune("torch", model, plan_of(Group(name="linear1.weight", size=16, members=stream), (1, 2)))

    assert all(np.array_equal(values, before[name]) for name, values in plugin.save("torch", model).items())
    plugin.prune("torch", model, plan_of(Group(name="linear1.weight", size=16, members=inside), (1, 2)))
    assert (model.linear1.out_features, model.linear2.in_features) == (14, 14)
    assert model.eval()(torch.zeros(1, 3, 8)).shape == (1, 3, 8)


def test_what_core_couples_and_torch_pruning_cannot_trace_is_cut_exactly(build, images, core_groups, random_plan):
    model, batch = build("shufflenet_v2_x1_0"), images(2)
    plan = random_plan(core_groups(model).groups)
    expected = plugin.evaluate("torch", masked(model, plan), batch)
    wanted = cut_state(plugin.save("torch", model), plan.cuts)
    model = plugin.prune("torch", model, plan).model

    assert all(np.array_equal(values, wanted[key]) for key, values in plugin.save("torch", model).items())
    found = plugin.evaluate("torch", model, batch)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


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
