"""Coupled channels, and surgery that follows a plan."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.surgery import cut_state
from paredown.errors import PlanError
from paredown.plan import PrunePlan

SHAPE = (1, 8, 8)


@pytest.mark.parametrize(
    ("name", "shape", "output"),
    [
        ("resnet20", SHAPE, "fc"),
        ("mobilenet_v2_small", SHAPE, "classifier"),
        ("mobilenet_v3_small", (3, 32, 32), "classifier.3"),
    ],
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


def cut(hooks, model, *cuts, shape=(4, 2, 2)):
    """Cuts a plan written by hand; the state is held against core's own slicing."""
    state = hooks.save(backend="paddle", model=model)
    plan = PrunePlan.model_validate(
        {"criterion": {"kind": "l2"}, "input_shape": shape, "scope": "local", "amount": {"ratio": 0.5}, "cuts": cuts}
    )
    outcome = hooks.prune(backend="paddle", model=model, plan=plan)
    wanted, found = cut_state(state, plan.cuts), hooks.save(backend="paddle", model=outcome.model)
    assert list(found) == list(wanted)
    assert all(np.array_equal(found[key], wanted[key]) for key in wanted)
    images = np.ones((2, *shape), np.float32)
    return outcome.evidence["cut_by"], hooks.evaluate(backend="paddle", model=outcome.model, images=images)


def group(size, *members, blocks=1):
    keys = ("parameter", "axis", "role", "channels")
    told = [dict(zip(keys, member, strict=False)) for member in members]
    return {"name": members[0][0], "size": size, "members": told, "blocks": blocks}


def test_a_convolution_in_groups_is_cut_by_our_own_slicing(hooks):
    import paddle

    nn = paddle.nn
    model = nn.Sequential(nn.Conv2D(4, 8, 1, groups=2), nn.ReLU(), nn.Conv2D(8, 3, 1), nn.Flatten())
    members = [("0.weight", 0, "output"), ("0.bias", 0, "bias"), ("2.weight", 1, "input")]
    by, outputs = cut(hooks, model, {"group": group(8, *members, blocks=2), "remove": (0, 3, 5, 6)})
    assert by == "paddleslim+paredown"
    assert outputs.shape == (2, 12)


def test_what_feeds_a_convolution_in_groups_loses_the_same_channels_in_each_of_its_groups(hooks):
    import paddle

    nn = paddle.nn
    model = nn.Sequential(nn.Conv2D(4, 8, 1), nn.PReLU(8), nn.Conv2D(8, 6, 1, groups=2), nn.Flatten())
    twice = (0, 1, 2, 3) * 2
    members = [("0.weight", 0, "output", twice), ("0.bias", 0, "bias", twice), ("1.weight", 0, "other", twice)]
    members.append(("2.weight", 1, "input"))
    by, outputs = cut(hooks, model, {"group": group(4, *members), "remove": (1, 2)})
    assert by == "paddleslim+paredown"
    assert outputs.shape == (2, 24)
    assert (model[1]._num_parameters, model[2]._in_channels, model[2]._groups) == (4, 4, 2)


def test_a_depthwise_convolution_with_two_outputs_an_input_keeps_both_of_each(hooks):
    import paddle

    nn = paddle.nn
    model = nn.Sequential(nn.Conv2D(4, 6, 1), nn.Conv2D(6, 12, 1, groups=6), nn.Conv2D(12, 3, 1), nn.Flatten())
    pairs = tuple(position // 2 for position in range(12))
    members = [("0.weight", 0, "output"), ("0.bias", 0, "bias"), ("1.weight", 0, "output", pairs)]
    members += [("1.bias", 0, "bias", pairs), ("2.weight", 1, "input", pairs)]
    _, outputs = cut(hooks, model, {"group": group(6, *members), "remove": (0, 2, 5)})
    assert outputs.shape == (2, 12)
    assert (model[1]._groups, model[1]._in_channels, model[1]._out_channels) == (3, 3, 6)


def test_a_depthwise_convolution_may_be_left_with_one_channel(hooks):
    import paddle

    nn = paddle.nn
    model = nn.Sequential(nn.Conv2D(4, 6, 1), nn.Conv2D(6, 6, 1, groups=6), nn.Conv2D(6, 3, 1), nn.Flatten())
    members = [("0.weight", 0, "output"), ("0.bias", 0, "bias"), ("1.weight", 0, "output"), ("1.bias", 0, "bias")]
    _, outputs = cut(hooks, model, {"group": group(6, *members, ("2.weight", 1, "input")), "remove": (0, 1, 2, 3, 5)})
    assert np.isfinite(outputs).all()


def test_two_groups_may_share_an_axis(hooks):
    import paddle

    class Joined(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.left, self.right = paddle.nn.Conv2D(4, 3, 1), paddle.nn.Conv2D(4, 2, 1)
            self.last = paddle.nn.Conv2D(5, 2, 1)

        def forward(self, images):
            return self.last(paddle.concat([self.left(images), self.right(images)], axis=1)).flatten(1)

    cuts = []
    for name, size, channels, remove in (("left", 3, (0, 1, 2, -1, -1), (1,)), ("right", 2, (-1, -1, -1, 0, 1), (0,))):
        members = [(f"{name}.weight", 0, "output"), (f"{name}.bias", 0, "bias")]
        cuts.append({"group": group(size, *members, ("last.weight", 1, "input", channels)), "remove": remove})
    model = Joined()
    by, outputs = cut(hooks, model, *cuts)
    assert (by, outputs.shape, model.last._in_channels) == ("paddleslim", (2, 8), 3)


def test_other_norms_and_parameters_of_the_networks_own_are_cut(hooks):
    import paddle

    class Scaled(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.first, self.norm = paddle.nn.Conv2D(4, 6, 1), paddle.nn.InstanceNorm2D(6)
            self.scale = self.create_parameter([6])
            self.inner, self.last = paddle.nn.LayerNorm(6), paddle.nn.Linear(6, 2)

        def forward(self, images):
            features = self.norm(self.first(images)).mean([2, 3])
            return self.last(self.inner(features * self.scale + features))

    members = [("scale", 0, "other"), ("first.weight", 0, "output"), ("first.bias", 0, "bias")]
    for norm in ("norm", "inner"):
        members += [(f"{norm}.weight", 0, "scale"), (f"{norm}.bias", 0, "shift")]
    model = Scaled()
    by, outputs = cut(hooks, model, {"group": group(6, *members, ("last.weight", 1, "input")), "remove": (0, 4)})
    assert (by, outputs.shape) == ("paddleslim+paredown", (2, 2))
    assert (model.inner._normalized_shape, model.norm._num_features) == ([4], 4)


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
