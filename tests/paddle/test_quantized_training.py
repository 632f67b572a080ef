"""Training with fake quantization: its forward pass, its gradients, and what it leaves behind."""

from __future__ import annotations

import math

import numpy as np
import pytest

from paredown.algorithms.fold import fold_batch_norm, fold_factor
from paredown.algorithms.qat import Schedule, TrainingScales
from paredown.algorithms.qparams import activation_qparams, weight_qparams
from paredown.algorithms.quantizing import fake_quantize
from paredown.contracts import Fold, TrainingRun
from paredown.errors import PlanError, TrainingDiverged
from paredown.plan import DistillPlan, PlannedLoss, QuantizationPoint, QuantizedTensor, QuantPlan
from paredown.spec.components import MinMaxObserver
from paredown.spec.models import AdamWConfig, ConstantSchedule, QuantizeActivations, QuantizeWeights, SgdConfig

FOLDS = tuple(Fold(f"conv{index}", f"bn{index}") for index in (1, 2, 3))
LAYERS = ("conv1", "conv2", "conv3", "fc")
IMAGE = activation_qparams(-1.5, 4.5)
POSITIVE = activation_qparams(0.0, 3.0)
ZERO = activation_qparams(0.0, 0.0)


def folded(state, layer):
    number = layer.removeprefix("conv")
    if layer == "fc":
        return state["fc.weight"]
    parts = [state[f"bn{number}.{each}"] for each in ("weight", "bias", "running_mean", "running_var")]
    return fold_batch_norm(state[f"{layer}.weight"], None, *parts, 1e-5)[0]


class Scales:
    """A `Quantizing`: scales of weights follow at every step, those of activations stay or follow the batch."""

    def __init__(self, state, options=None, *, activations=True, follow=False, freeze_bn=None, learned=False,
                 pact=False, extra=()):  # fmt: skip
        self.options, self.follow = options or QuantizeWeights(bits=4), follow
        self.freeze_bn, self.learned, self.pact, self.folds = freeze_bn, learned, pact, FOLDS
        self.asked, self.seen = [], []
        weights = [self._weight(state, layer) for layer in LAYERS]
        inputs = [
            QuantizationPoint(layer=layer, port="input", tensor=IMAGE if layer == "conv1" else POSITIVE)
            for layer in LAYERS
        ]
        self.points = (*(inputs if activations else ()), *extra, *weights)

    def _weight(self, state, layer):
        tensor = weight_qparams(folded(state, layer), self.options, "portable")
        return QuantizationPoint(layer=layer, port="weight", tensor=tensor)

    def leader(self, key):
        return key

    def is_due(self, step):
        self.asked.append(step)
        return not self.learned

    def is_silent(self, key):
        return False

    def update(self, step, weights):
        return tuple(self._weight(weights, layer) for layer in LAYERS)

    def activation(self, key, minimum, maximum):
        self.seen.append((key, minimum, maximum))
        if self.follow:
            return activation_qparams(minimum, maximum)
        return next(each.tensor for each in self.points if (each.layer, each.port, each.index) == key)


def digits(count=96):
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, count)
    images = random.normal(0, 0.3, (count, 1, 8, 8)).astype(np.float32)
    images[np.arange(count), 0, labels % 8, labels // 8] += 3
    return images, labels.astype(np.int64)


def train(hooks, model, quantizing, *, optimizer=None, epochs=1, loss=None, teacher=None, masking=None,
          images=None, rate=None):  # fmt: skip
    from paredown_paddle.losses import hard_label

    known, labels = digits()
    images = known if images is None else images
    optimizer = optimizer or SgdConfig(lr=0.02, weight_decay=5e-4)
    plan = DistillPlan(
        losses=(PlannedLoss(kind="hard_label", options={}, weight=1.0),), teacher="baseline" if teacher else None,
        epochs=epochs, batch_size=32, optimizer=optimizer, schedule=ConstantSchedule(),
    )  # fmt: skip
    run = TrainingRun(
        batches=lambda epoch: ((images[start : start + 32], labels[start : start + 32]) for start in (0, 32, 64)),
        steps_per_epoch=3,
        learning_rate=lambda step: optimizer.lr if rate is None else rate,
        losses=[loss or hard_label],
        teacher=teacher,
        masking=masking,
        quantizing=quantizing,
    )
    return hooks.distill(backend="paddle", model=model, plan=plan, run=run)


def traces(model):
    """What fake quantization would leave in a network."""
    layers = model.sublayers(include_self=True)
    hooks = [hook for layer in layers for hook in (*layer._forward_pre_hooks, *layer._forward_post_hooks)]
    return hooks + [layer for layer in layers if "weight" in vars(layer)]


class Stop(Exception):
    """Raised on purpose."""


@pytest.mark.parametrize("options", [
    QuantizeWeights(), QuantizeWeights(bits=4, symmetric=False), QuantizeWeights(bits=2, granularity="tensor"),
    QuantizeWeights(bits=1), QuantizeWeights(bits=4, granularity="group", group_size=5),
])  # fmt: skip
def test_a_layer_computes_with_its_folded_weight_quantized_and_unfolded(hooks, build, options):
    from paredown_paddle.quantized_training import QuantizedTraining

    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    training = QuantizedTraining(model, Scales(state, options))
    for layer in LAYERS:
        values = training._weights[layer].quantized().numpy()
        tensor = weight_qparams(folded(state, layer), options, "portable")
        wanted = fake_quantize(folded(state, layer), tensor)
        if layer == "fc":
            assert values.T.tobytes() == wanted.tobytes()
        else:
            norm = layer.replace("conv", "bn")
            factor = fold_factor(state[f"{norm}.weight"], state[f"{norm}.running_var"], 1e-5).reshape(-1, 1, 1, 1)
            assert values.tobytes() == (wanted / factor).astype(np.float32).tobytes()


def test_a_channel_that_batch_norm_multiplies_with_zero_keeps_its_weights_and_learns_them(hooks, build):
    from paredown_paddle.quantized_training import QuantizedTraining

    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    state["bn2.weight"][3], state["bn2.weight"][4] = 0, 1e-39
    hooks.restore(backend="paddle", model=model, state=state)
    for learned in (False, True):
        weight = QuantizedTraining(model, Scales(state, learned=learned))._weights["conv2"].quantized()
        assert np.array_equal(weight.numpy()[3:5], state["conv2.weight"][3:5])
        assert np.isfinite(weight.numpy()).all()
        weight.sum().backward()
        assert (model.conv2.weight.grad.numpy()[3:5] == 1).all()
        model.conv2.weight.clear_grad()


def test_with_frozen_batch_norm_the_forward_pass_is_that_of_the_folded_simulated_network(hooks, build):
    model = build("cnn")
    scales = Scales(hooks.save(backend="paddle", model=model), freeze_bn=0)
    scales.points += (QuantizationPoint(layer="conv1", port="output", tensor=activation_qparams(-4, 4)),)
    copy = hooks.fold(backend="paddle", model=model, folds=FOLDS)
    plan = QuantPlan(mode="qat", target="portable", points=scales.points)
    simulated = hooks.quantize(backend="paddle", model=copy, plan=plan).model
    wanted = hooks.evaluate(backend="paddle", model=simulated, images=digits()[0][:32])
    outputs = []

    def loss(student, teacher, labels, options):
        outputs.append(student.numpy())
        raise Stop

    with pytest.raises(Stop):
        train(hooks, model, scales, loss=loss)
    # Not bit for bit: BatchNorm comes after the sum here, so that now and then a value is rounded to the next step.
    near = np.isclose(outputs[0], wanted, atol=1e-3 * np.abs(wanted).max())
    assert near.mean() > 0.9
    assert np.abs(outputs[0] - wanted).max() < 0.1 * np.abs(wanted).max()


def gradients(function, values, weights, *parameters):
    """The gradients of sum(weights * function(values)) in the values and the parameters."""
    import paddle

    given = paddle.to_tensor(values, stop_gradient=False)
    (paddle.to_tensor(weights) * function(given)).sum().backward()
    return [each.grad.numpy() for each in (given, *parameters)]


def test_gradients_pass_straight_through_where_the_integer_is_not_clipped(hooks):
    from paredown_paddle.straight_through import straight_through

    tensor = activation_qparams(-1.0, 2.0, bits=4)  # scale 0.2, zero point 5: integers 0 to 15
    values = np.array([-1.2, -1.05, -0.3, 0.0, 1.99, 2.05, 2.2], np.float32)
    weights = np.arange(1, 8, dtype=np.float32)
    (found,) = gradients(lambda given: straight_through(given, tensor), values, weights)
    assert found.tolist() == [0, 2, 3, 4, 5, 6, 0]


def test_binary_weights_pass_every_gradient(hooks):
    from paredown_paddle.straight_through import straight_through

    tensor = weight_qparams(np.array([[0.5, -1.5]]), QuantizeWeights(bits=1), "portable")
    values, weights = np.array([[-3, -0.1, 0, 2]], np.float32), np.array([[1, 2, 3, 4]], np.float32)
    assert gradients(lambda given: straight_through(given, tensor), values, weights)[0].tolist() == [[1, 2, 3, 4]]


def lsq(values, tensor, weights, rows):
    """LSQ's gradients by the paper, in float64: of the values, and of each scale."""
    scale, zero = (np.asarray(each, np.float64).reshape(-1, 1) for each in (tensor.scale, tensor.zero_point))
    ratio, upper = rows(values.astype(np.float64)) / scale, rows(weights.astype(np.float64))
    low, high = tensor.qmin - zero, tensor.qmax - zero
    slope = np.where(ratio <= low, low, np.where(ratio >= high, high, np.rint(ratio) - ratio))
    inside = (ratio > low) & (ratio < high)
    return (upper * inside).reshape(values.shape), (upper * slope).sum(1)


@pytest.mark.parametrize("options", [
    QuantizeWeights(bits=4), QuantizeWeights(bits=4, symmetric=False), QuantizeWeights(bits=2, granularity="tensor"),
    QuantizeWeights(bits=8, granularity="group", group_size=4),
])  # fmt: skip
def test_learned_step_sizes_have_the_gradient_of_the_paper(hooks, options):
    from paredown.algorithms.grouping import in_rows
    from paredown_paddle.learned_scales import LearnedScales

    random = np.random.default_rng(0)
    values, weights = random.normal(size=(2, 3, 8)).astype(np.float32)
    tensor = weight_qparams(values, options, "vnni")
    tensor = tensor.model_copy(update={"scale": tuple(np.float32(each) * np.float32(0.6) for each in tensor.scale)})
    scales = LearnedScales(Only(QuantizationPoint(layer="a", port="weight", tensor=tensor)))
    (step,) = scales.steps.values()

    def quantized(given):
        from paredown_paddle.fake_quantization import Grid
        from paredown_paddle.straight_through import Result, passed_through, step_slope

        slope, inside = step_slope(given.detach(), tensor, step.scale)
        grid = Grid(tensor, given, step.scale)
        learn = step.learner(tensor, slope, 24 // len(tensor.scale))
        return passed_through(given, Result(grid.restored(grid.steps(given.detach())), inside, learn), step.share)

    found, found_share = gradients(quantized, values, weights, step.share)
    wanted, of_scale = lsq(values, tensor, weights, lambda each: in_rows(each, tensor.axis, tensor.group_size))
    assert np.array_equal(found, wanted.astype(np.float32))
    factor = 1 / math.sqrt(24 / len(tensor.scale) * tensor.qmax)
    # The parameter is the share of the start: its gradient times the start is that of the scale, to descend by.
    assert found_share * np.float32(tensor.scale) == pytest.approx(of_scale * factor, rel=1e-4, abs=1e-5)
    assert (wanted == 0).any()


class Only:
    """A `Quantizing` whose scales are learned."""

    folds, freeze_bn, learned, pact = (), None, True, False

    def __init__(self, *points, pact=False, leaders=None):
        self.points, self.pact, self.leaders = points, pact, leaders or {}

    def leader(self, key):
        return self.leaders.get(key, key)

    def is_silent(self, key):
        return False

    def is_due(self, step):
        return False


def test_a_learned_scale_behind_a_batch_norm_learns_what_reaches_it_through_the_division(hooks, build):
    """The weight that computes is fake_quantize(w k) / k, and so the slope in the scale is divided by k."""
    import paddle

    from paredown_paddle.quantized_training import QuantizedTraining

    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    tensor = weight_qparams(folded(state, "conv2"), QuantizeWeights(bits=4), "portable")
    # Smaller, so that no weight lies at the very end of the range, where float32's rounding decides.
    tensor = tensor.model_copy(update={"scale": tuple(float(np.float32(0.7 * each)) for each in tensor.scale)})
    scales = Only(QuantizationPoint(layer="conv2", port="weight", tensor=tensor))
    scales.folds = FOLDS
    training = QuantizedTraining(model, scales)
    upper = np.random.default_rng(0).normal(size=state["conv2.weight"].shape).astype(np.float32)
    (training._weights["conv2"].quantized() * paddle.to_tensor(upper)).sum().backward()
    rows = folded(state, "conv2").reshape(64, -1).astype(np.float64)
    ratio = rows / np.array(tensor.scale)[:, None]
    slope = np.where(np.abs(ratio) >= 7, 7 * np.sign(ratio), np.rint(ratio) - ratio)
    factor = fold_factor(state["bn2.weight"], state["bn2.running_var"], 1e-5)
    wanted = (upper.reshape(64, -1) * slope).sum(1) / factor / math.sqrt(rows.shape[1] * 7)
    (step,) = training.scales.steps.values()
    # The share is that of the scale in units of |k|: as fast as the scale of the weight itself would learn.
    found = step.share.grad.numpy() * np.array(tensor.scale) / np.abs(factor)
    wanted = wanted * np.abs(factor)
    assert found == pytest.approx(wanted, rel=1e-3, abs=1e-4 * np.abs(wanted).max())
    inside = (np.abs(ratio) < 7).reshape(upper.shape)
    assert np.array_equal(model.conv2.weight.grad.numpy(), np.where(inside, upper, 0))
    assert not inside.all()


@pytest.mark.parametrize("granularity", ["channel", "tensor", "group"])
def test_a_learned_scale_follows_the_size_of_the_factor(hooks, build, granularity):
    from paredown_paddle.quantized_training import QuantizedTraining

    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    size = {"group_size": 16} if granularity == "group" else {}
    options = QuantizeWeights(bits=4, granularity=granularity, **size)
    training = QuantizedTraining(model, Scales(state, options, learned=True, activations=False))
    key = ("conv2", "weight", 0)
    start = weight_qparams(folded(state, "conv2"), options, "portable").scale
    assert training.learned()[key].scale == start
    before = np.abs(fold_factor(state["bn2.weight"], state["bn2.running_var"], 1e-5))
    state["bn2.weight"][5] *= -4
    hooks.restore(backend="paddle", model=model, state=state)
    after = np.abs(fold_factor(state["bn2.weight"], state["bn2.running_var"], 1e-5))
    change = after.mean() / before.mean() if granularity == "tensor" else np.repeat(after / before, len(start) // 64)
    assert training.learned()[key].scale == pytest.approx(np.array(start) * change, rel=1e-6)


def of_core(point, options=None, folds=(), **more):
    """Core's own scales, of one point; of an activation nothing is known."""
    norms = {fold.batch_norm: 1e-5 for fold in folds}
    key = (point.layer, point.port, 0)
    ranges = {} if point.port == "weight" else {key: (0.0, 0.0)}
    return TrainingScales(
        (point,), folds, norms, {}, options or QuantizeWeights(), QuantizeActivations(observer=MinMaxObserver()),
        "portable", Schedule(4, 10**6), momentum=None, ranges=ranges, **more,
    )  # fmt: skip


@pytest.mark.parametrize("granularity", ["channel", "tensor", "group"])
def test_learned_scales_of_weights_that_batch_norm_multiplies_with_zero_are_those_of_the_weights(
    hooks, build, granularity
):
    from paredown_paddle.quantized_training import QuantizedTraining

    model = build("cnn")
    options = QuantizeWeights(bits=4, granularity=granularity, group_size=9 if granularity == "group" else None)
    state = hooks.save(backend="paddle", model=model)
    state["bn2.weight"][:] = 0
    hooks.restore(backend="paddle", model=model, state=state)
    tensor = weight_qparams(folded(state, "conv2"), options, "portable")
    point = QuantizationPoint(layer="conv2", port="weight", tensor=tensor)
    training = QuantizedTraining(model, of_core(point, options, FOLDS, learned=True))
    training.before_step(0)
    assert np.array_equal(training._weights["conv2"].quantized().numpy(), state["conv2.weight"])

    state["bn2.weight"][:] = 0.1
    hooks.restore(backend="paddle", model=model, state=state)
    found = training._weights["conv2"].quantized().numpy()
    wanted = fake_quantize(state["conv2.weight"], weight_qparams(state["conv2.weight"], options, "portable"))
    if granularity == "tensor":  # the unit is a mean over channels of other variances
        assert np.count_nonzero(found) > found.size / 2
    else:
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-7)


def test_the_learned_scale_of_a_row_of_zeros_starts_from_its_first_numbers(hooks, build):
    import paddle

    from paredown_paddle.quantized_training import QuantizedTraining

    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    kept, state["fc.weight"][3] = state["fc.weight"][3].copy(), 0
    hooks.restore(backend="paddle", model=model, state=state)
    tensor = weight_qparams(state["fc.weight"], QuantizeWeights(bits=4), "portable")
    point = QuantizationPoint(layer="fc", port="weight", tensor=tensor)
    training = QuantizedTraining(model, of_core(point, QuantizeWeights(bits=4), learned=True))
    training.before_step(0)
    paddle.assign(paddle.full([10], 1.01), output=training.scales.parameters()[0])
    state["fc.weight"][3] = kept
    hooks.restore(backend="paddle", model=model, state=state)
    training.before_step(4)

    after = training.learned()["fc", "weight", 0].scale
    assert after[3] == pytest.approx(np.abs(kept).max() / 7)
    others = [row for row in range(10) if row != 3]
    assert np.divide(after, tensor.scale)[others] == pytest.approx([1.01] * 9)


@pytest.mark.parametrize("more", [{"learned": True}, {"pact": True}], ids=str)
def test_what_is_learned_of_an_activation_that_was_zero_starts_from_the_first_batch_that_is_not(hooks, more):
    import paddle

    from paredown_paddle.learned_scales import LearnedScales

    key = ("a", "input", 0)
    scales = LearnedScales(of_core(QuantizationPoint(layer="a", port="input", tensor=ZERO), **more))
    assert not scales.quantized(key, paddle.zeros([2, 4])).any()
    assert scales.learned() == {}
    for highest in (1.5, 9.0):
        scales.quantized(key, paddle.linspace(0, highest, 8).reshape([2, 4]))
        assert scales.learned() == {key: activation_qparams(0.0, 1.5)}


def test_a_level_is_not_learned_where_the_first_numbers_are_below_zero(hooks):
    import paddle

    from paredown_paddle.learned_scales import LearnedScales

    core = of_core(QuantizationPoint(layer="a", port="input", tensor=ZERO), pact=True)
    scales, batch = LearnedScales(core), np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    found = scales.quantized(("a", "input", 0), paddle.to_tensor(batch)).numpy()
    assert found.tobytes() == fake_quantize(batch, activation_qparams(-1.0, 1.0)).tobytes()
    assert scales.learned() == {}
    assert core.trained() == {("a", "input", 0): activation_qparams(-1.0, 1.0)}


def test_values_at_the_ends_of_the_range_move_the_scale_and_take_no_gradient(hooks):
    from paredown_paddle.learned_scales import LearnedScales

    # v = x / 0.5 = -8, -7, -2.4, 0.8, 3, 7.2: slopes -7, -7, 0.4, 0.2, 0, 7 (equation 3).
    tensor = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(0.5,), zero_point=(0,))
    scales = LearnedScales(Only(QuantizationPoint(layer="a", port="input", tensor=tensor)))
    (step,) = scales.steps.values()
    values, weights = np.array([[-4, -3.5, -1.2, 0.4, 1.5, 3.6]], np.float32), np.arange(1, 7, dtype=np.float32)
    inner, share = gradients(lambda given: scales.quantized(("a", "input", 0), given), values, weights, step.share)
    assert inner.tolist() == [[0, 0, 3, 4, 5, 0]]
    assert share * 0.5 == pytest.approx((-7 * 1 - 7 * 2 + 0.4 * 3 + 0.2 * 4 + 7 * 6) / math.sqrt(6 * 7), rel=1e-5)


@pytest.mark.parametrize(("pushed", "share"), [(-3.0, 0.81), (9.0, 1.21)])
def test_no_step_changes_what_is_learned_by_more_than_a_tenth(hooks, pushed, share):
    import paddle

    from paredown_paddle.learned_scales import LearnedScales

    for pact in (False, True):
        point = QuantizationPoint(layer="a", port="input", tensor=POSITIVE.model_copy(update={"scale": (0.3,)}))
        scales = LearnedScales(Only(point, pact=pact))
        (parameter,) = scales.parameters()
        for _ in range(2):
            paddle.assign(paddle.full_like(parameter, pushed * 100), output=parameter)
            scales.after_step()
        (scale,) = scales.learned()["a", "input", 0].scale
        assert scale == pytest.approx(0.3 * share, rel=1e-6)
        assert scale == np.float32(scale)


def test_the_clipping_level_takes_the_gradient_of_what_reaches_it(hooks):
    from paredown_paddle.learned_scales import LearnedScales

    point = QuantizationPoint(layer="a", port="input", tensor=activation_qparams(0, 1.5, bits=4))
    scales = LearnedScales(Only(point, pact=True))
    (level,) = scales.levels.values()
    assert level.numpy() == pytest.approx([1.5])
    values, weights = np.array([[-0.2, 0, 0.7, 1.4, 1.6, 9]], np.float32), np.arange(1, 7, dtype=np.float32)
    values_gradient, level_gradient = gradients(
        lambda given: scales.quantized(("a", "input", 0), given), values, weights, level
    )
    assert values_gradient.tolist() == [[0, 2, 3, 4, 0, 0]]
    assert level_gradient.tolist() == [11]
    assert scales.learned()["a", "input", 0].scale[0] == pytest.approx(0.1)


@pytest.mark.parametrize("config", [SgdConfig(lr=0.5, weight_decay=0.5), AdamWConfig(lr=0.5, weight_decay=0.5)])
def test_weight_decay_shrinks_clipping_levels_and_no_step_sizes(hooks, config):
    import paddle

    from paredown_paddle.learned_scales import LearnedScales
    from paredown_paddle.optimizing import make_optimizer

    points = (
        QuantizationPoint(layer="a", port="input", tensor=POSITIVE),
        QuantizationPoint(layer="a", port="weight", tensor=IMAGE),
    )
    scales, model = LearnedScales(Only(*points, pact=True)), paddle.nn.Linear(2, 2)
    before = model.weight.numpy()
    plan = DistillPlan(losses=(), teacher=None, epochs=1, batch_size=1, optimizer=config, schedule=ConstantSchedule())
    optimizer = make_optimizer(model, plan, scales)
    (step,), (level,) = scales.steps.values(), scales.levels.values()
    sum((each * 0).sum() for each in (model.weight, step.share, level)).backward()
    start = level.numpy()
    optimizer.step()
    assert step.share.numpy().tolist() == [1]
    assert level.numpy() == pytest.approx(0.75 * start)
    assert model.weight.numpy() == pytest.approx(0.75 * before)


def test_points_with_one_leader_share_what_is_learned(hooks):
    from paredown_paddle.learned_scales import LearnedScales

    points = [QuantizationPoint(layer=layer, port="input", tensor=IMAGE) for layer in ("a", "b")]
    scales = LearnedScales(Only(*points, leaders={("b", "input", 0): ("a", "input", 0)}))
    assert list(scales.learned()) == [("a", "input", 0)]
    assert scales.learned()["a", "input", 0] == IMAGE


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
