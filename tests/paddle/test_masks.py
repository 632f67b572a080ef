"""Single weights set to zero, and held there through any optimizer."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.masks import pack
from paredown.contracts import TrainingRun
from paredown.errors import PlanError
from paredown.plan import DistillPlan, MaskPlan, PlannedLoss
from paredown.spec.models import AdamWConfig, ConstantSchedule, SgdConfig

MASKED = ("conv2.weight", "fc.weight")


def drawn(state, share=0.5, seed=0):
    random = np.random.default_rng(seed)
    return {name: random.random(state[name].shape) >= share for name in MASKED}


def plan_of(masks):
    return MaskPlan(
        granularity="weight",
        criterion={"kind": "l1"},
        scope="local",
        amount={"ratio": 0.5},
        masks=tuple(pack(name, mask) for name, mask in masks.items()),
    )


class Growing:
    """Keeps half of the masked weights, and from the third step on only a fifth; notes what it was given."""

    def __init__(self, state):
        self.now, self.later = drawn(state), drawn(state)
        self.later = {name: mask & drawn(state, 0.6, 1)[name] for name, mask in self.later.items()}
        self.asked, self.seen = [], {}

    def masks(self):
        return self.now

    def is_due(self, step):
        self.asked.append(step)
        return step == 2

    def update(self, step, weights):
        self.seen = dict(weights)
        self.now = self.later
        return self.now


def train(hooks, model, optimizer, masking=None, bn_l1=0.0, epochs=2):
    from paredown_paddle.losses import hard_label

    random = np.random.default_rng(1)
    images, labels = random.normal(size=(64, 1, 8, 8)).astype(np.float32), random.integers(0, 10, 64)
    plan = DistillPlan(
        losses=(PlannedLoss(kind="hard_label", options={}, weight=1.0),), teacher=None, epochs=epochs, batch_size=32,
        optimizer=optimizer, schedule=ConstantSchedule(), bn_l1=bn_l1,
    )  # fmt: skip
    run = TrainingRun(
        batches=lambda epoch: ((images[start : start + 32], labels[start : start + 32]) for start in (0, 32)[:epochs]),
        steps_per_epoch=epochs,
        learning_rate=lambda step: optimizer.lr,
        losses=[hard_label],
        masking=masking,
    )
    return hooks.distill(backend="paddle", model=model, plan=plan, run=run)


def test_a_plan_of_masks_puts_plain_zeros_where_it_says_and_nowhere_else(hooks, build):
    model = build("cnn")
    before = hooks.save(backend="paddle", model=model)
    masks = drawn(before)
    plan = MaskPlan.model_validate_json(plan_of(masks).model_dump_json())
    outcome = hooks.prune(backend="paddle", model=model, plan=plan)
    after = hooks.save(backend="paddle", model=outcome.model)
    assert list(after) == list(before)
    for name, values in before.items():
        wanted = np.where(masks[name], values, np.float32(0)) if name in masks else values
        assert after[name].tobytes() == wanted.tobytes()
    assert outcome.evidence == {
        "zeros": sum(int((~mask).sum()) for mask in masks.values()),
        "elements": sum(mask.size for mask in masks.values()),
    }


@pytest.mark.parametrize("name", ["conv9.weight", "fc.weight"])
def test_a_mask_that_does_not_fit_is_refused_before_anything_is_changed(hooks, build, name):
    model = build("cnn")
    before = hooks.save(backend="paddle", model=model)
    masks = {"conv1.weight": np.zeros((32, 1, 3, 3), bool), name: np.zeros((2, 2), bool)}
    with pytest.raises(PlanError, match=name):
        hooks.prune(backend="paddle", model=model, plan=plan_of(masks))
    after = hooks.save(backend="paddle", model=model)
    assert all(np.array_equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize(
    "optimizer",
    [SgdConfig(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01), AdamWConfig(lr=0.01, weight_decay=0.1)],
)
def test_masks_hold_through_momentum_and_weight_decay_and_grow_when_due(hooks, build, optimizer):
    model = build("cnn")
    before = hooks.save(backend="paddle", model=model)
    masking = Growing(before)
    after = hooks.save(backend="paddle", model=train(hooks, model, optimizer, masking).model)
    assert masking.asked == [0, 1, 2, 3]
    assert masking.seen.keys() == before.keys()
    for name in MASKED:
        assert not (masking.seen[name][~drawn(before)[name]]).any()
        assert np.array_equal(after[name] != 0, masking.later[name])
        assert not np.signbit(after[name][~masking.later[name]]).any()
    assert list(after) == list(before)
    assert all(np.isfinite(values).all() for values in after.values())


def test_what_is_masked_is_zero_already_in_the_first_step(hooks, build):
    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    masks = drawn(state)
    masked = build("cnn")
    hooks.prune(backend="paddle", model=masked, plan=plan_of(masks))

    class Held(Growing):
        def is_due(self, step):
            return False

    losses = [train(hooks, each, SgdConfig(lr=0.05), Held(state)).evidence["loss"] for each in (model, masked)]
    assert losses[0] == losses[1]


def test_the_l1_penalty_pulls_batch_norm_scales_by_its_sign(hooks, build):
    """One step of plain SGD from equal weights: the scales differ by rate * strength * sign, other weights by none."""
    before = hooks.save(backend="paddle", model=build("cnn"))
    states = []
    for strength in (0.0, 0.01):
        outcome = train(hooks, build("cnn"), SgdConfig(lr=0.1, momentum=0.0), bn_l1=strength, epochs=1)
        states.append(hooks.save(backend="paddle", model=outcome.model))
    for name, plain in states[0].items():
        if name.startswith("bn") and name.endswith("weight"):
            assert states[1][name] - plain == pytest.approx(-0.001 * np.sign(before[name]), abs=1e-6)
        else:
            assert np.array_equal(states[1][name], plain)


def test_scales_that_are_penalised_end_smaller(hooks, build):
    ends = []
    for strength in (0.0, 0.2):
        outcome = train(hooks, build("cnn"), SgdConfig(lr=0.05), bn_l1=strength)
        ends.append(np.abs(hooks.save(backend="paddle", model=outcome.model)["bn3.weight"]).mean())
    assert ends[1] < ends[0]
