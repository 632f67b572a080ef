"""Coupled channels, and surgery that follows a plan."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.surgery import cut_state
from paredown.contracts import MeasureRequest
from paredown.errors import PlanError
from paredown.plan import PrunePlan

SHAPE = (1, 8, 8)


def groups_of(hooks, model, shape=SHAPE):
    found = hooks.measure(backend="paddle", model=model, request=MeasureRequest("groups", shape))
    return {group.name: group for group in found.groups}


def test_the_residual_stream_of_the_first_stage_is_one_group(hooks, build):
    group = groups_of(hooks, build("resnet20"))["conv1"]
    outputs = {member.parameter for member in group.members if member.axis == 0}
    inputs = {member.parameter for member in group.members if member.axis == 1}
    blocks = [f"layer1.{index}" for index in range(3)]
    assert group.size == 16
    assert outputs == {
        "conv1.weight", "bn1.weight", "bn1.bias",
        *(f"{block}.{name}" for block in blocks for name in ("conv2.weight", "bn2.weight", "bn2.bias")),
    }  # fmt: skip
    assert inputs == {
        *(f"{block}.conv1.weight" for block in blocks), "layer2.0.conv1.weight", "layer2.0.downsample.0.weight",
    }  # fmt: skip


def test_resnet20_has_twelve_groups_and_its_output(hooks, build):
    groups = groups_of(hooks, build("resnet20"))
    assert len(groups) == 13
    assert ("fc.weight", 1) in {(member.parameter, member.axis) for member in groups["layer3.0.conv2"].members}


def test_a_flatten_gives_each_channel_a_block_of_positions(hooks):
    import paddle

    model = paddle.nn.Sequential(paddle.nn.Conv2D(1, 2, 3, padding=1), paddle.nn.Flatten(), paddle.nn.Linear(18, 4))
    group = groups_of(hooks, model, (1, 3, 3))["0"]
    linear = next(member for member in group.members if member.parameter == "2.weight")
    assert (linear.axis, linear.channels) == (1, (0,) * 9 + (1,) * 9)
    assert {"0.weight", "0.bias"} <= {member.parameter for member in group.members}


def test_depthwise_convolutions_are_cut_with_what_feeds_them(hooks, build):
    groups = groups_of(hooks, build("mobilenet_v2"), (3, 32, 32))
    assert len(groups) == 26
    members = {(member.parameter, member.axis) for member in groups["features.0.0"].members}
    assert {("features.1.conv.0.0.weight", 0), ("features.1.conv.1.weight", 1)} <= members


@pytest.mark.parametrize(
    ("name", "shape", "output"),
    [("resnet20", SHAPE, "fc"), ("mobilenet_v3_small", (3, 32, 32), "classifier.3")],
)
def test_surgery_equals_the_masked_network_and_can_be_repeated(hooks, build, plan_half, name, shape, output):
    model = build(name, shape=shape)
    images = np.random.default_rng(1).normal(size=(4, *shape)).astype(np.float32)
    for seed in (0, 1):
        plan = plan_half(model, shape, output, seed)
        state = hooks.save(backend="paddle", model=model)
        masked = build(name, shape=shape) if seed == 0 else None
        if masked is not None:
            hooks.restore(backend="paddle", model=masked, state=masked_state(state, plan))
        replayed = PrunePlan.model_validate_json(plan.model_dump_json())
        outcome = hooks.prune(backend="paddle", model=model, plan=replayed)
        model = outcome.model
        assert outcome.evidence["cut_by"] == "paddleslim"
        found, wanted = hooks.save(backend="paddle", model=model), cut_state(state, plan.cuts)
        assert list(found) == list(wanted)
        assert all(np.array_equal(found[key], wanted[key]) for key in wanted)
        if masked is not None:
            small, whole = (hooks.evaluate(backend="paddle", model=each, images=images) for each in (model, masked))
            assert np.abs(small - whole).max() <= 1e-5 * np.abs(whole).max()


def test_a_grouped_convolution_is_cut_by_our_own_slicing(hooks):
    import paddle

    nn = paddle.nn
    model = nn.Sequential(nn.Conv2D(4, 8, 1, groups=2), nn.ReLU(), nn.Conv2D(8, 3, 1), nn.Flatten())
    group = groups_of(hooks, model, (4, 2, 2))["0"]
    assert group.blocks == 2
    plan = PrunePlan.model_validate(
        {
            "criterion": {"kind": "l2"},
            "input_shape": (4, 2, 2),
            "scope": "local",
            "ratio": 0.5,
            "cuts": [{"group": group, "remove": (0, 3, 5, 6)}],
        }
    )
    state = hooks.save(backend="paddle", model=model)
    outcome = hooks.prune(backend="paddle", model=model, plan=plan)
    assert outcome.evidence["cut_by"] == "paddleslim+paredown"
    wanted, found = cut_state(state, plan.cuts), hooks.save(backend="paddle", model=outcome.model)
    assert all(np.array_equal(found[key], wanted[key]) for key in wanted)
    images = np.ones((2, 4, 2, 2), np.float32)
    assert hooks.evaluate(backend="paddle", model=outcome.model, images=images).shape == (2, 12)


def test_what_feeds_a_grouped_convolution_loses_the_same_channels_in_each_of_its_groups(hooks):
    import paddle

    nn = paddle.nn
    model = nn.Sequential(nn.Conv2D(3, 8, 1), nn.ReLU(), nn.Conv2D(8, 6, 1, groups=2), nn.Flatten())
    group = groups_of(hooks, model, (3, 2, 2))["0"]
    maps = {(member.parameter, member.axis): member.channels for member in group.members}
    assert group.size == 4
    assert maps == {("0.weight", 0): (0, 1, 2, 3) * 2, ("0.bias", 0): (0, 1, 2, 3) * 2, ("2.weight", 1): None}


def test_a_plan_of_another_network_is_refused_before_anything_is_cut(hooks, build, plan_half):
    plan = plan_half(build("resnet20"), SHAPE)
    model = build("cnn")
    before = hooks.save(backend="paddle", model=model)
    with pytest.raises(PlanError):
        hooks.prune(backend="paddle", model=model, plan=plan)
    after = hooks.save(backend="paddle", model=model)
    assert all(np.array_equal(before[key], after[key]) for key in before)


def masked_state(state, plan):
    """The state with the removed channels put to nothing, wherever they are read or written."""
    masked = {key: values.copy() for key, values in state.items()}
    for cut in plan.cuts:
        for member in cut.group.members:
            channels = np.arange(cut.group.size) if member.channels is None else np.array(member.channels)
            index = [slice(None)] * masked[member.parameter].ndim
            index[member.axis] = np.isin(channels, cut.remove)
            masked[member.parameter][tuple(index)] = 1.0 if member.parameter.endswith("running_var") else 0.0
    return masked
