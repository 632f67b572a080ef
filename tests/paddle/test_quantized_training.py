"""Training with fake quantization: its forward pass, its gradients, and what it leaves behind."""

from __future__ import annotations

import numpy as np
import pytest
from quantizing_on_paddle import IMAGE, LAYERS, POSITIVE, Only, Scales, Stop, digits, of_core, train

from paredown.contracts import Fold
from paredown.errors import PlanError, TrainingDiverged
from paredown.plan import QuantizationPoint
from paredown.spec.models import AdamWConfig, QuantizeWeights, SgdConfig


def traces(model):
    """What fake quantization would leave in a network."""
    layers = model.sublayers(include_self=True)
    hooks = [hook for layer in layers for hook in (*layer._forward_pre_hooks, *layer._forward_post_hooks)]
    return hooks + [layer for layer in layers if "weight" in vars(layer)]


TRAININGS = {
    "4 bits": {"options": QuantizeWeights(bits=4), "follow": True},
    "4 bits in groups": {"options": QuantizeWeights(bits=4, granularity="group", group_size=16)},
    "ternary": {"options": QuantizeWeights(bits=2), "follow": True},
    "binary": {"options": QuantizeWeights(bits=1), "follow": True},
    "LSQ": {"options": QuantizeWeights(bits=4), "learned": True},
    "LSQ, ternary": {"options": QuantizeWeights(bits=2, granularity="tensor"), "learned": True},
    "PACT": {"options": QuantizeWeights(bits=4), "pact": True},
}


@pytest.mark.parametrize("name", TRAININGS)
def test_training_lowers_the_loss_and_leaves_a_plain_network(hooks, build, name):
    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    scales = Scales(state, freeze_bn=6, **TRAININGS[name])
    outcome = train(hooks, model, scales, optimizer=AdamWConfig(lr=0.01), epochs=4)
    losses = outcome.evidence["loss"]
    assert losses[-1] < 0.9 * losses[0]
    assert not traces(model)
    after = hooks.save(backend="paddle", model=model)
    assert list(after) == list(state)
    assert all(len(np.unique(after[f"{layer}.weight"])) > 100 for layer in LAYERS)
    assert scales.asked == list(range(12))
    weights, inputs = {(layer, "weight", 0) for layer in LAYERS}, {(layer, "input", 0) for layer in LAYERS}
    if scales.learned:
        assert outcome.learned.keys() == weights | inputs
    else:
        assert outcome.learned.keys() == (inputs - {("conv1", "input", 0)} if scales.pact else set())
    starts = {(point.layer, point.port, point.index): point.tensor for point in scales.points}
    for key, tensor in outcome.learned.items():
        assert tensor.scale != starts[key].scale
        assert all(scale > 0 and scale == np.float32(scale) for scale in tensor.scale)
        assert tensor.zero_point == starts[key].zero_point


@pytest.mark.parametrize("optimizer", [SgdConfig(lr=0.02), AdamWConfig(lr=0.002)])
def test_training_twice_gives_the_same_bytes(hooks, build, optimizer):
    states, learned = [], []
    for _ in range(2):
        model = build("cnn")
        scales = Scales(hooks.save(backend="paddle", model=model), learned=True, pact=True)
        learned.append(train(hooks, model, scales, optimizer=optimizer).learned)
        states.append(hooks.save(backend="paddle", model=model))
    assert all(np.array_equal(states[0][key], states[1][key]) for key in states[0])
    assert learned[0] == learned[1]


def test_core_is_told_the_range_of_every_call(hooks, build):
    model = build("cnn")
    scales = Scales(hooks.save(backend="paddle", model=model))
    train(hooks, model, scales)
    images = digits()[0]
    assert [key for key, _, _ in scales.seen] == [(layer, "input", 0) for layer in LAYERS] * 3
    assert scales.seen[0][1:] == (images[:32].min(), images[:32].max())


def test_no_points_and_no_quantizing_train_alike(hooks, build):
    states = []
    for quantizing in (None, Only()):
        model = build("cnn")
        assert train(hooks, model, quantizing).learned == {}
        states.append(hooks.save(backend="paddle", model=model))
    assert all(np.array_equal(states[0][key], states[1][key]) for key in states[0])


def test_the_teacher_is_not_quantized(hooks, build):
    student, teacher, outputs = build("cnn"), build("cnn"), []
    wanted = hooks.evaluate(backend="paddle", model=teacher, images=digits()[0][:32])

    def loss(given, taught, labels, options):
        outputs.append(taught.numpy())
        return given.square().mean()

    train(hooks, student, Scales(hooks.save(backend="paddle", model=student)), loss=loss, teacher=teacher)
    assert np.array_equal(outputs[0], wanted)


class Half:
    """Holds half of two weights at zero."""

    def __init__(self, state):
        random = np.random.default_rng(0)
        self.kept = {name: random.random(state[name].shape) > 0.5 for name in ("conv2.weight", "fc.weight")}

    def masks(self):
        return self.kept

    def is_due(self, step):
        return False


@pytest.mark.parametrize("symmetric", [True, False])
def test_masked_weights_are_zero_in_training_and_after(hooks, build, symmetric):
    from paredown_paddle.quantized_training import QuantizedTraining

    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    masking, options = Half(state), QuantizeWeights(bits=4, symmetric=symmetric)
    train(hooks, model, Scales(state, options), masking=masking)
    after = hooks.save(backend="paddle", model=model)
    weights = QuantizedTraining(model, Scales(after, options))._weights
    for name, kept in masking.kept.items():
        assert np.array_equal(after[name] != 0, kept)
        quantized = weights[name.removesuffix(".weight")].quantized().numpy()
        assert not (quantized.T if name == "fc.weight" else quantized)[~kept].any()


def test_batch_norm_keeps_its_statistics_from_the_step_that_freezes_it(hooks, build):
    states = {}
    for freeze in (0, 1, None):
        model = build("cnn")
        before = hooks.save(backend="paddle", model=model)
        train(hooks, model, Scales(before, freeze_bn=freeze))
        states[freeze] = hooks.save(backend="paddle", model=model)
    assert np.array_equal(states[0]["bn2.running_mean"], before["bn2.running_mean"])
    assert not np.array_equal(states[0]["bn2.weight"], before["bn2.weight"])
    assert not np.array_equal(states[0]["conv2.weight"], before["conv2.weight"])
    assert not np.array_equal(states[1]["bn2.running_mean"], before["bn2.running_mean"])
    assert not np.array_equal(states[1]["bn2.running_mean"], states[None]["bn2.running_mean"])


@pytest.mark.parametrize("where", ["forward", "loss"])
def test_nothing_stays_in_the_network_when_training_is_cut_short(hooks, build, where):
    model = build("cnn")
    before = hooks.save(backend="paddle", model=model)

    def fail(*_):
        raise Stop

    scales = Scales(before)
    if where == "forward":
        scales.activation = lambda key, low, high: IMAGE if key[0] != "conv3" else fail()
    with pytest.raises(Stop):
        train(hooks, model, scales, loss=fail if where == "loss" else None)
    assert not traces(model)
    assert not model.training
    after = hooks.save(backend="paddle", model=model)
    assert all(np.array_equal(before[key], after[key]) for key in before if key.endswith("weight"))


def test_a_call_that_does_not_happen_is_refused(hooks, build):
    model = build("cnn")
    point = QuantizationPoint(layer="conv2", port="output", index=1, tensor=POSITIVE)
    with pytest.raises(PlanError, match="conv2"):
        train(hooks, model, Scales(hooks.save(backend="paddle", model=model), extra=(point,)))


def test_a_fold_that_does_not_fit_is_refused(hooks, build):
    model = build("cnn")
    scales = Scales(hooks.save(backend="paddle", model=model))
    scales.folds = (Fold("conv1", "conv2"),)
    with pytest.raises(PlanError, match="conv1"):
        train(hooks, model, scales)


@pytest.mark.parametrize("more", [{}, {"learned": True}, {"pact": True}], ids=str)
def test_a_training_that_diverges_says_so(hooks, build, more):
    model = build("cnn")
    scales = Scales(hooks.save(backend="paddle", model=model), **more)
    with pytest.raises(TrainingDiverged):
        train(hooks, model, scales, rate=float("nan"))
    assert not traces(model)


def test_images_that_are_no_numbers_stop_training_at_the_point_that_sees_them(hooks, build):
    model = build("cnn")
    scales = of_core(QuantizationPoint(layer="conv1", port="input", tensor=IMAGE))
    with pytest.raises(TrainingDiverged) as caught:
        train(hooks, model, scales, images=np.full((96, 1, 8, 8), np.nan, np.float32))
    assert "input of conv1" in str(caught.value)
    assert not traces(model)
